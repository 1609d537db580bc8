"""Library in a bucket of a real S3 server."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib import request

import pytest

from models.errors import OverheardError
from realtime.library.discovery import find_tracks
from realtime.library.executors import ProcessTrackExecutor
from realtime.library.scan import scan_library
from realtime.library.storage import FetchedFile
from realtime.library.track import LibraryTrack
from tests.support.audio import tone, write
from tests.support.cli import main_error
from tests.support.libraries import ANALYSIS_SETTINGS, MANIFEST, open_table, read_rows, scan, write_tracks
from training.data.windows import SAMPLE_RATE


@pytest.mark.parametrize("endpoint", ["localhost:9000", "minio", "http://", "http://[::1"])
def test_an_invalid_endpoint_is_refused_in_one_sentence(endpoint: str, tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": endpoint}
    error = main_error("library", "s3://library", "--out", str(tmp_path), environment=environment)
    assert f"AWS_ENDPOINT_URL is {endpoint}; it must be an address such as https://" in error


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Run an S3 server and yield the address of a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        from pyarrow import fs

        fs.S3FileSystem(
            endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True
        ).create_dir("library")
        yield "s3://library"
    server.stop()


def upload(uri: str, content: bytes) -> None:
    from realtime.library.storage import open_filesystem

    filesystem, path = open_filesystem(uri)
    with filesystem.open_output_stream(path) as stream:
        stream.write(content)


def test_a_bucket_gives_the_same_rows_as_a_folder(bucket: str, tmp_path: Path) -> None:
    paths = write_tracks(tmp_path / "music", 3)
    for path in paths:
        upload(f"{bucket}/music/album {path.stem}/{path.name}", path.read_bytes())
    upload(f"{bucket}/music/bad.mp3", b"no sound" * 100)
    upload(f"{bucket}/music/cover.jpg", b"no sound")
    out, beside = f"{bucket}/out/tracks.parquet", tmp_path / "local.parquet"
    executor = ProcessTrackExecutor(ANALYSIS_SETTINGS, 1)
    try:
        summary = scan(f"{bucket}/music", out, executor)
        scan(tmp_path / "music", beside, executor)
        assert (summary.found, summary.analyzed, summary.faulty) == (4, 4, 1)
        upload(f"{bucket}/music/bad.mp3", b"no sound" * 101)
        table = open_table(out)
        assert scan_library([f"{bucket}/music"], table, executor).analyzed == 1
    finally:
        executor.close()
    (fault,) = [fault for _, fault in table.rows_with_faults()]
    assert fault.startswith("s3://library/music/bad.mp3 is not audio that FFmpeg can decode")
    from pyarrow import dataset

    from realtime.library.storage import open_filesystem

    filesystem, path_in_store = open_filesystem(out)
    rows = {
        row["uri"]: row
        for row in dataset.dataset(path_in_store, filesystem=filesystem).to_table().to_pylist()
    }
    assert len(rows) == 4
    for row in read_rows(beside):
        name = Path(row["uri"]).name
        found = rows[f"{bucket}/music/album {Path(name).stem}/{name}"]
        assert [found[f"p_{g}"] for g in MANIFEST.labels] == [row[f"p_{g}"] for g in MANIFEST.labels]
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("overheard-*/*.wav"))


def test_keys_that_cannot_be_fetched_become_faulty_rows(bucket: str, tmp_path: Path) -> None:
    """One wrong line of a list must not end a run of days."""
    upload(f"{bucket}/short.wav", write(tmp_path / "short.wav", tone(440, 1.0), SAMPLE_RATE).read_bytes())
    listed = tmp_path / "some.m3u"
    listed.write_bytes(b"s3://library//x.wav\ns3://library/\xff.wav\ns3://library/short.wav\n")
    executor = ProcessTrackExecutor(ANALYSIS_SETTINGS, 1)
    try:
        assert scan(listed, tmp_path / "t", executor).faulty == 3
    finally:
        executor.close()
    slashes, no_text, short = read_rows(tmp_path / "t")  # by name
    assert short["fault"].startswith("s3://library/short.wav contains 1.00 s of audio")
    assert "Empty path component" in slashes["fault"]
    assert no_text["fault"].startswith(r"cannot fetch s3://library/\udcff.wav")
    with pytest.raises(OverheardError, match="cannot list s3://library//x"):
        list(find_tracks(["s3://library//x"]))
    with pytest.raises(OverheardError, match="cannot read the table s3://library//x"):
        open_table("s3://library//x")


def test_a_key_with_an_empty_name_ends_no_listing(bucket: str) -> None:
    """pyarrow then lists a folder as its own content, which once made an endless loop."""
    for key in ("odd//a.wav", "odd/b.wav"):  # pyarrow itself takes no such key
        address = f"{os.environ['AWS_ENDPOINT_URL']}/library/{key}"
        request.urlopen(request.Request(address, b"x", method="PUT")).close()
    assert [track.uri for track in find_tracks([f"{bucket}/odd"])] == ["s3://library/odd/b.wav"]


def test_a_stop_does_not_wait_for_a_fetch(bucket: str, tmp_path: Path) -> None:
    upload(f"{bucket}/large.wav", bytes(3000))
    stop = threading.Event()
    stop.set()
    with pytest.raises(OverheardError, match="was not fetched: the run was stopped"):
        FetchedFile(LibraryTrack(f"{bucket}/large.wav", 3000, 0), tmp_path, stop=stop)
    assert not list(tmp_path.iterdir())


def test_a_fetch_that_fails_names_the_reason(bucket: str, tmp_path: Path) -> None:
    upload(f"{bucket}/large.wav", bytes(3000))
    with pytest.raises(OverheardError, match="has more than 2,000 bytes"):
        FetchedFile(LibraryTrack(f"{bucket}/large.wav", 3000, 0), tmp_path, max_bytes=2000)
    with pytest.raises(OverheardError, match=r"cannot fetch s3://library/none\.wav"):
        FetchedFile(LibraryTrack(f"{bucket}/none.wav", 3000, 0), tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OverheardError, match="s3://nowhere"):
        list(find_tracks(["s3://nowhere/x"]))
