"""Settings from files, environment and options."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

from realtime import config
from realtime.config import Settings
from realtime.errors import SettingsError

ALL_GROUPS = tuple(group.name for group in fields(Settings))


def load(*arguments: str, environment: dict[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    config.add_options(parser, *ALL_GROUPS)
    return config.load(parser.parse_args(arguments), environment or {})


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_without_any_setting_the_defaults_apply() -> None:
    assert load() == Settings()


def test_options_override_the_environment_which_overrides_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "s.toml", '[source]\nspeed = 2\n[server]\nport = 1\nhost = "127.0.0.2"\n')
    environment = {"OVERHEARD_PORT": "2", "OVERHEARD_HOST": "127.0.0.3"}
    loaded = load("--config", file, "--host", "localhost", environment=environment)
    assert (loaded.source.speed, loaded.server.port, loaded.server.host) == (2.0, 2, "localhost")


def test_sources_may_be_several_and_their_names_may_have_commas() -> None:
    assert load("--source", "mic:hw:1,0", "--source", "demo").source.source == ("mic:hw:1,0", "demo")
    assert load(environment={"OVERHEARD_SOURCE": "mic:hw:1,0"}).source.source == ("mic:hw:1,0",)
    assert load(environment={"OVERHEARD_SOURCE": "system\ndemo"}).source.source == ("system", "demo")


def test_several_sources_may_be_allowed() -> None:
    assert load().source.allow_source == ()
    assert load("--allow-source", "mic:hw:1,0", "--allow-source", "demo").source.allow_source == (
        "mic:hw:1,0",
        "demo",
    )
    assert load(environment={"OVERHEARD_ALLOW_SOURCE": "mic:hw:1,0\nsystem"}).source.allow_source == (
        "mic:hw:1,0",
        "system",
    )


def test_opening_the_browser_can_be_turned_off() -> None:
    assert load().dashboard.browser
    assert not load("--no-browser").dashboard.browser
    assert not load(environment={"OVERHEARD_BROWSER": "0"}).dashboard.browser


@pytest.mark.parametrize(
    ("environment", "options", "follows"),
    [({}, (), False), ({"OVERHEARD_FOLLOW_DEFAULT": "yes"}, (), True), ({}, ("--follow-default",), True),
     ({"OVERHEARD_FOLLOW_DEFAULT": "1"}, ("--no-follow-default",), False)],
)  # fmt: skip
def test_options_override_the_environment_of_a_switch(
    environment: dict[str, str], options: tuple[str, ...], follows: bool
) -> None:
    assert load(*options, environment=environment).source.follow_default is follows


def test_a_host_for_other_machines_is_accepted_with_a_token() -> None:
    token = "abcdefgh.12345678"
    assert load("--host", "0.0.0.0", environment={"OVERHEARD_TOKEN": token}).server.token == token
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        assert load("--host", host).server.host == host


def test_the_usual_file_is_read_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "overheard").mkdir()
    write(tmp_path / "overheard" / "settings.toml", "[smoothing]\nhalf_life_seconds = 9\n")
    assert load().smoothing.half_life_seconds == 9


def test_origins_may_be_several() -> None:
    loaded = load("--allow-origin", "http://a", "--allow-origin", "http://b")
    assert loaded.server.allow_origin == ("http://a", "http://b")
    environment = {"OVERHEARD_ALLOW_ORIGIN": "http://a, http://b"}
    assert load(environment=environment).server.allow_origin == ("http://a", "http://b")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("[server]\nprot = 1", r"unknown setting 'prot' in \[server\]; did you mean \[server\] port\?"),
        ("[srever]\nport = 1", r"unknown setting 'port' in \[srever\]; did you mean \[server\] port\?"),
        (
            "[server]\nshoe_size = 1",
            r"unknown setting 'shoe_size' in \[server\]; there are .*\[server\] port",
        ),
        ("port = 1", "'port' stands outside a section"),
        ("[server]\nport = 1.5", "port is 1.5; it must be of type int"),
        ("[server]\nport = true", "port is True; it must be of type int"),
        ("[server]\nhost = 3", "host is 3; it must be of type str"),
        ("[server", "is not valid TOML"),
        ("[server]\nport = 99999", r"port is 99999; it must lie in 0\.\.65535"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: str, error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        load("--config", write(tmp_path / "s.toml", content))


@pytest.mark.parametrize(
    "content",
    [
        "[server]\nport = '{}'", "[server]\n{} = 1", "[{}]\na = 1", "{} = 1", "[server]\nport = [['{}']]",
        "[server]\nhost = {{a = '{}'}}",
    ],
)  # fmt: skip
def test_long_keys_and_values_are_cut_in_the_error(tmp_path: Path, content: str) -> None:
    """A file that is not one of settings filled the terminal."""
    path = write(tmp_path / "s.toml", content.format("9" * 3_000))
    with pytest.raises(SettingsError) as error:
        load("--config", path)
    assert "999" in str(error.value)
    assert "99" * 100 not in str(error.value)


@pytest.mark.parametrize("number", ["1" + "0" * 400, "0x" + "f" * 5_000, "-" + "9" * 4_000, str(2**64)])
@pytest.mark.parametrize(
    "setting", ["[server]\nhost", "[server]\nport", "[source]\nspeed", "[source]\nsource", "x"]
)
def test_an_integer_that_fits_nowhere_is_one_sentence(tmp_path: Path, setting: str, number: str) -> None:
    """It became an OverflowError, or could not even be printed."""
    path = write(tmp_path / "s.toml", f"{setting} = {number}")
    with pytest.raises(
        SettingsError, match="is not valid TOML: it has an integer beyond 18446744073709551615"
    ):
        load("--config", path)


def test_a_missing_file_that_was_named_is_an_error() -> None:
    with pytest.raises(SettingsError, match="cannot read the settings file"):
        load("--config", "/nonexistent/s.toml")


def test_unknown_environment_is_an_error() -> None:
    with pytest.raises(
        SettingsError,
        match=r"unknown setting OVERHEARD_PROT in the environment; did you mean OVERHEARD_PORT\?",
    ):
        load(environment={"OVERHEARD_PROT": "1"})


@pytest.mark.parametrize(
    ("group", "old", "new"),
    [("source", "offer", "allow_source"), ("source", "give_up_seconds", "reconnect_timeout_seconds"),
     ("history", "keep_sound_minutes", "audio_buffer_minutes"), ("dashboard", "open_browser", "browser")],
)  # fmt: skip
def test_an_old_key_names_its_successor(tmp_path: Path, group: str, old: str, new: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"unknown setting '{old}' in \[{group}\]; did you mean \[{group}\] {new}\?"
    ):
        load("--config", write(tmp_path / "s.toml", f"[{group}]\n{old} = 1\n"))
    with pytest.raises(SettingsError, match=rf"did you mean OVERHEARD_{new.upper()}\?"):
        load(environment={f"OVERHEARD_{old.upper()}": "1"})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--port", "many"), "--port is 'many'; it must be of type int"),
        (("--speed", "-1"), r"speed is -1.0; it must lie in 0\.\.1000"),
        (("--speed", "nan"), "speed is nan"),
        (("--runtime", "torch"), "runtime is 'torch'; there are auto, litert, tflite-runtime"),
        (("--hop-seconds", "-1"), "hop_seconds is -1.0"),
        (("--silence-dbfs", "3"), "silence_dbfs is 3.0"),
        (("--silence-seconds", "0"), "silence_seconds is 0.0"),
        (("--silence-seconds", "5"), "silence_seconds is 5.0; .* within a window"),
        (("--host", ""), "host is empty, which would mean every network"),
        (
            ("--allow-origin", "http://a/"),
            "allow_origin is 'http://a/'; it must be scheme, host and port only",
        ),
        (("--dashboard-port", "0"), "dashboard_port is 0"),
        (("--host", "0.0.0.0"), r"host 0\.0\.0\.0 can be reached from other machines; set a token of 16"),
        (("--host", "radio.example"), "can be reached from other machines"),
        (("--token", "short"), "the token has 5 characters; it must have 16 to 256"),
        (("--max-clients", "0"), r"max_clients is 0; it must lie in 1\.\.10000"),
        (("--tls-key", "k.pem"), "tls_certificate and tls_key belong together"),
        (("--source", "demo", "--source", "demo"), "source is demo, demo; name at least one, each once"),
        (
            ("--allow-source", "mic", "--allow-source", "mic"),
            "allow_source is mic, mic; name each once, and none that is empty",
        ),
        (("--allow-source", " "), "name each once, and none that is empty"),
        (("--mqtt", "broker"), "mqtt must be an address such as mqtt://"),
        (("--webhook", "ftp://x"), "webhook must be an http or https address"),
        (
            ("--allow-host", "http://radio.example"),
            "allow_host 'http://radio.example' is not the name of a host; give the name alone, such as",
        ),
        (("--allow-host", "a..b"), r"allow_host 'a\.\.b' is not the name of a host"),
        (("--page-key", "short"), "the page_key has 5 characters; it must have 16 to 256"),
    ],
)
def test_a_wrong_option_is_explained(arguments: tuple[str, ...], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        load(*arguments)


def test_names_are_unique_and_have_help() -> None:
    settings = [setting for group in fields(Settings) for setting in fields(group.default_factory)]  # type: ignore[arg-type]
    assert len({setting.name for setting in settings}) == len(settings)
    assert [setting.name for setting in settings if not setting.metadata.get("help")] == []


@pytest.mark.parametrize(
    "address",
    ["http://u:geheim@[bad", "http://geheim@[::1", "http://h:99999/", "http://h:x/", "http://",
     "http:///geheim", "https://u:geheim@:80/", "http://h:0/", "http://a b/", "http://h/\ngeheim",
     "http://h\0/", "http://" + "x" * 70, "http://a..b/", "http://h/\udce9", "http://[fe80::1%25eth0]/",
     "http://<h>/", "HTTP//h", "h", "//h/", "http:h"],
)  # fmt: skip
def test_a_malformed_webhook_is_one_sentence_without_its_secrets(address: str) -> None:
    """Regression: an address with a bracket that is not closed ended the program with a traceback."""
    with pytest.raises(SettingsError, match="webhook must be an http or https address such as") as caught:
        load("--webhook", address)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8123/api/webhook/x", "https://me:p%40ss@hooks.example/a?b=c", "http://[::1]:80",
     "http://räd.example/ä", "http://home_assistant:8123/", "https://hooks.example./"],
)  # fmt: skip
def test_possible_webhooks_are_accepted(address: str) -> None:
    assert load("--webhook", address).outputs.webhook == address
