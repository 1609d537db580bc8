"""``overheard train``: train the model, from recordings to the released files."""

from __future__ import annotations

import argparse
import json
import logging
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from models.common.cli import ArgumentParser
from models.common.ray import ENGINES
from models.errors import OverheardError

if TYPE_CHECKING:
    from training.data.ingest import IngestJob

CACHE = Path("build/cache")
FEATURES = Path("build/features")
ARTIFACTS = Path("models/artifacts")
BACKBONE = Path("build/music_mobilenet_v2.npz")


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard train",
        usage="%(prog)s COMMAND [OPTION ...]",
        description="Train the model, from recordings to the released files, and repeat the published study.",
        examples=[
            ("overheard train prepare --folder ~/GTZAN --noises 300", "recordings to windows in a cache"),
            ("overheard train release", "windows to model, manifest, model card and plots"),
            ("overheard train compare models/artifacts/genre.json other.json", "the figures of two models"),
        ],
    )  # fmt: skip
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", prog=parser.prog)
    _add_data_commands(commands)
    _add_release_commands(commands)
    _add_study_commands(commands)
    return parser


def command(argv: Sequence[str]) -> int:
    """Run ``overheard train`` with the arguments after the word ``train``.

    Raises
    ------
    OverheardError
        If data, weights or packages are missing, or an option is wrong.
    """
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return int(arguments.run(arguments))
    except ModuleNotFoundError as error:
        raise OverheardError(
            f"training needs the package {error.name}; run pip install overheard[training]"
        ) from error


Commands: TypeAlias = "argparse._SubParsersAction[ArgumentParser]"


def _add_data_commands(commands: Commands) -> None:
    prepare = commands.add_parser(
        "prepare",
        help="read recordings and arrays into the cache of windows",
        description="Read recordings and arrays into the cache of windows. Files that cannot be decoded are "
        "listed and left out.",
        examples=[
            ("overheard train prepare --gtzan ~/GTZAN --music ~/Music --teacher", "for a distillation")
        ],
    )
    prepare.add_argument(
        "--gtzan", type=Path, metavar="FOLDER", help="GTZAN: audio by genre, arrays, or both"
    )
    for name, metavar, help_text in (
        ("folder", "FOLDER", "audio files, in a folder for each genre; may be repeated"),
        ("music", "FOLDER", "music of any genre, for distillation; may be repeated"),
        ("table", "FILE", "CSV of audio files and genres, beside the folder of its name; may be repeated"),
        ("spectrograms", "FILE", ".npz file with track_id and db_u8; may be repeated"),
    ):
        prepare.add_argument(
            f"--{name}", type=Path, action="append", default=[], metavar=metavar, help=help_text
        )
    prepare.add_argument(
        "--noises", type=int, default=0, metavar="N", help="synthetic sounds without music (default: 0)"
    )
    prepare.add_argument(
        "--teacher", action="store_true", help="compute the embeddings of musicnn, which is slow"
    )
    _add_cache(prepare)
    prepare.set_defaults(run=_prepare)

    imagenet = commands.add_parser(
        "imagenet",
        help="convert torchvision's MobileNetV2 weights (needs torch)",
        usage="%(prog)s [OPTION ...] FILE",
        description="Convert torchvision's MobileNetV2 weights to an .npz file. Needs the package torch.",
    )
    imagenet.add_argument("pth", type=Path, metavar="FILE", help="mobilenet_v2-b0353104.pth")
    imagenet.add_argument("--out", type=Path, metavar="FILE", help=".npz to write (default: the shipped one)")
    imagenet.set_defaults(run=_imagenet)


def _add_release_commands(commands: Commands) -> None:
    distill = commands.add_parser(
        "distill",
        help="train the backbone to predict the embeddings of musicnn",
        description="Train the backbone to predict the embeddings of musicnn, on the windows of the cache.",
    )
    distill.add_argument(
        "--out", type=Path, default=BACKBONE, metavar="FILE", help=f".npz to write (default: {BACKBONE})"
    )
    _add_steps(distill, 3200)
    _add_cache(distill)
    distill.set_defaults(run=_distill)

    release = commands.add_parser(
        "release",
        help="train the shipped model and write its files",
        description="Train the shipped model, and write its manifest, model card and plots.",
        examples=[("overheard train release --out build/model --seed 1", "a model for comparison")],
    )
    _add_out_folder(release)
    release.add_argument(
        "--backbone", type=Path, metavar="FILE", help="weights to start from (default: the shipped ones)"
    )
    release.add_argument(
        "--logs",
        type=Path,
        default=Path("build/logs"),
        metavar="FOLDER",
        help="logs for TensorBoard (default: build/logs)",
    )
    release.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)"
    )
    _add_protocol_scores(release)
    _add_steps(release, 150)
    _add_cache(release)
    release.set_defaults(run=_release)

    card = commands.add_parser(
        "model-card",
        help="measure a released model again and rewrite its card",
        description="Measure a released model again, and rewrite its manifest, model card and plots.",
    )
    _add_out_folder(card)
    card.add_argument(
        "--float32",
        type=Path,
        default=Path("build/genre_float32.tflite"),
        metavar="FILE",
        help="the model before quantization (default: build/genre_float32.tflite)",
    )
    _add_protocol_scores(card)
    _add_cache(card)
    card.set_defaults(run=_model_card)

    compare = commands.add_parser(
        "compare",
        help="show the figures of two models side by side",
        usage="%(prog)s [OPTION ...] FILE FILE",
        description="Show the figures of two models side by side.",
    )
    compare.add_argument("one", type=Path, metavar="FILE", help="manifest of a model")
    compare.add_argument("other", type=Path, metavar="FILE", help="manifest of another model")
    compare.set_defaults(run=_compare)


def _add_study_commands(commands: Commands) -> None:
    protocols = commands.add_parser(
        "protocols",
        help="measure accuracy under three protocols",
        description="Measure the accuracy of several networks under three protocols of splitting GTZAN.",
    )
    _add_gtzan(protocols)
    protocols.add_argument(
        "--features", type=Path, default=FEATURES, metavar="FOLDER", help=f"features (default: {FEATURES})"
    )
    _add_work(protocols, Path("build/protocols"))
    protocols.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs on the fault-filtered split (default: 1)"
    )
    protocols.add_argument("--json", action="store_true", help="print JSON, not a table")
    _add_steps(protocols, 150)
    _add_cache(protocols)
    _add_engine(protocols)
    protocols.set_defaults(run=_protocols)

    ablation = commands.add_parser(
        "ablation",
        help="train without each part of the recipe",
        description="Train without each part of the recipe, and show what each part contributes.",
    )
    _add_work(ablation, Path("build/ablation"))
    _add_steps(ablation, 150)
    _add_cache(ablation)
    _add_engine(ablation)
    ablation.set_defaults(run=_ablation)

    study = commands.add_parser(
        "study",
        help="repeat the table of the published study and test its claim",
        description="Repeat the table of the published study, and test its claim.",
    )
    _add_gtzan(study)
    study.add_argument(
        "--cache", type=Path, default=FEATURES, metavar="FOLDER", help=f"features (default: {FEATURES})"
    )
    study.add_argument("--json", type=Path, metavar="FILE", help="write all measurements to this file")
    study.add_argument("--quick", action="store_true", help="few epochs and folds, to see that it runs")
    _add_engine(study)
    study.set_defaults(run=_study)


def _add_cache(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="FOLDER", help=f"cache of windows (default: {CACHE})"
    )


def _add_steps(parser: ArgumentParser, steps: int) -> None:
    parser.add_argument(
        "--steps", type=int, metavar="N", help=f"batches of 32 windows in each run (default: {steps})"
    )


def _add_out_folder(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=ARTIFACTS,
        metavar="FOLDER",
        help=f"folder of the model's files (default: {ARTIFACTS})",
    )


def _add_protocol_scores(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--protocols", type=Path, metavar="FILE", help="output of `overheard train protocols --json`"
    )


def _add_gtzan(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--gtzan", type=Path, required=True, metavar="FOLDER", help="GTZAN's table and arrays (required)"
    )


def _add_work(parser: ArgumentParser, folder: Path) -> None:
    parser.add_argument(
        "--work", type=Path, default=folder, metavar="FOLDER", help=f"checkpoints (default: {folder})"
    )


def _add_engine(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        metavar="NAME",
        help="local for one run after the other, or ray for tasks of a cluster (default: local)",
    )


def _imagenet(arguments: argparse.Namespace) -> int:
    from training.networks.pretrained import IMAGENET_WEIGHTS, convert_imagenet_weights

    target = arguments.out or IMAGENET_WEIGHTS
    print(f"{target}: SHA-256 {convert_imagenet_weights(arguments.pth, target)}")
    return 0


def _study(arguments: argparse.Namespace) -> int:
    from models.spectrogram.spec import AudioSpec
    from training.data.gtzan import Gtzan
    from training.parallel import open_executor
    from training.study.features import cached_features
    from training.study.report import format_study_table, format_verdict
    from training.study.study import QUICK_PLAN, StudyData, StudyPlan, run_study

    out: Path | None = arguments.json
    if out and not out.parent.is_dir():
        raise OverheardError(
            f"{out.parent} is no folder, so --json cannot write {out.name} there; make it first"
        )
    gtzan = Gtzan.load(arguments.gtzan)
    data = StudyData(gtzan.tracks, cached_features(gtzan, AudioSpec(), arguments.cache))
    with open_executor(arguments.engine) as runs:
        measured = run_study(data, QUICK_PLAN if arguments.quick else StudyPlan(), runs)
    measured["verdict"] = format_verdict(measured)
    if out:
        out.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(format_study_table(measured), "", textwrap.fill(measured["verdict"], 110), sep="\n")
    return 0


def _prepare(arguments: argparse.Namespace) -> int:
    from rich.progress import Progress

    from training.data import ingest, synthetic_noise
    from training.data.corpus import Corpus
    from training.data.sources import array_jobs, folder_jobs, gtzan_jobs, table_jobs

    if arguments.noises < 0:
        raise OverheardError(f"--noises is {arguments.noises}; it must be at least 0")
    hear = None
    if arguments.teacher:
        from training.distillation.teacher import Teacher

        hear = Teacher().hear
    jobs: list[IngestJob] = []
    if arguments.gtzan:
        jobs += gtzan_jobs(arguments.gtzan, hear)
    for path in arguments.folder:
        jobs += folder_jobs(path, hear)
    for path in arguments.music:
        jobs += folder_jobs(path, hear, source="music", labelled=False)
    for path in arguments.table:
        jobs += table_jobs(path, hear)
    if arguments.spectrograms:
        jobs += array_jobs(arguments.spectrograms)
    jobs += synthetic_noise.noise_jobs(arguments.noises)
    if not jobs:
        raise OverheardError(
            "nothing to prepare; name --gtzan, --folder, --music, --table, --spectrograms or --noises"
        )
    with Progress(transient=True) as progress:
        task = progress.add_task("preparing", total=len(jobs))
        faults = ingest.ingest_tracks(
            jobs, arguments.cache, lambda done, _: progress.update(task, completed=done)
        )
    for fault in faults:
        print(fault)
    print(f"{arguments.cache} holds {len(Corpus.load(arguments.cache).entries)} tracks")
    return 0


def _distill(arguments: argparse.Namespace) -> int:
    from training.data.corpus import Corpus
    from training.distillation.distill import DistillationConfig, distill, distillation_entries
    from training.finetuning.train import tensorboard_logger

    corpus = Corpus.load(arguments.cache)
    lesson = replace(DistillationConfig(), steps=_positive(arguments.steps, DistillationConfig().steps))
    out = arguments.out
    digest = distill(
        corpus, distillation_entries(corpus), out, lesson, log=tensorboard_logger(Path("build/logs/teach"))
    )
    print(f"{out}: SHA-256 {digest}")
    return 0


def _protocols(arguments: argparse.Namespace) -> int:
    from models.spectrogram.spec import AudioSpec
    from training.data.corpus import Corpus
    from training.data.gtzan import Gtzan
    from training.evaluation.protocol_table import PROTOCOLS, protocol_records, protocol_table
    from training.finetuning.recipe import FineTuningRecipe
    from training.networks.pretrained import DISTILLED_WEIGHTS
    from training.parallel import open_executor
    from training.study import protocols
    from training.study.features import cached_features
    from training.study.protocol_runs import run_protocol
    from training.study.train_head import HEAD_RECIPES

    gtzan, corpus = Gtzan.load(arguments.gtzan), Corpus.load(arguments.cache.resolve())
    recipe = replace(FineTuningRecipe(), steps=_positive(arguments.steps, FineTuningRecipe().steps))
    seeds = range(_positive(arguments.seeds, 1, "--seeds"))
    frozen = cached_features(gtzan, AudioSpec(), arguments.features)
    arguments.work.mkdir(parents=True, exist_ok=True)
    work = arguments.work.resolve()  # tasks of a cluster run in another folder
    with open_executor(arguments.engine) as runs:
        scores = [
            run_protocol(protocol, variant, of, gtzan, frozen, seeds, runs)
            for variant, of in HEAD_RECIPES.items()
            for protocol in PROTOCOLS
        ]
        scores += protocols.score_frozen(corpus, DISTILLED_WEIGHTS)
        scores += protocols.score_fine_tuned(corpus, recipe, seeds=seeds, work=work, runs=runs)
    listed = protocol_records(scores)
    print(json.dumps(listed, indent=1) if arguments.json else protocol_table(listed))
    return 0


def _ablation(arguments: argparse.Namespace) -> int:
    from training.data.corpus import Corpus
    from training.parallel import open_executor
    from training.study.ablation import ABLATION_STEPS, format_ablation_table, run_ablation

    arguments.work.mkdir(parents=True, exist_ok=True)
    corpus = Corpus.load(arguments.cache.resolve())
    steps, work = _positive(arguments.steps, ABLATION_STEPS), arguments.work.resolve()
    with open_executor(arguments.engine) as runs:
        print(format_ablation_table(run_ablation(corpus, work, steps=steps, runs=runs)))
    return 0


def _release(arguments: argparse.Namespace) -> int:
    from training.data.corpus import Corpus
    from training.finetuning.recipe import FineTuningRecipe
    from training.networks.pretrained import DISTILLED_WEIGHTS
    from training.release.release import release
    from training.study.protocols import read_protocol_records

    if not 0 <= arguments.seed < 2**32:
        raise OverheardError(f"--seed is {arguments.seed}; it must be from 0 to {2**32 - 1}")
    protocols = read_protocol_records(arguments.protocols) if arguments.protocols else []
    manifest = release(
        Corpus.load(arguments.cache),
        arguments.out,
        protocols=protocols,
        recipe=replace(FineTuningRecipe(), steps=_positive(arguments.steps, FineTuningRecipe().steps)),
        seed=arguments.seed,
        taught=arguments.backbone or DISTILLED_WEIGHTS,
        logs=arguments.logs,
    )
    print(f"wrote {manifest.model_path}, its manifest, its model card and plots")
    return 0


def _model_card(arguments: argparse.Namespace) -> int:
    from models.manifest import SHIPPED, ModelManifest
    from training.data.corpus import Corpus
    from training.release.release import remeasure
    from training.study.protocols import read_protocol_records

    manifest = ModelManifest.load(arguments.out / SHIPPED)
    protocols = (
        read_protocol_records(arguments.protocols) if arguments.protocols else manifest.metrics["protocols"]
    )
    remeasure(Corpus.load(arguments.cache), manifest, arguments.float32, protocols=protocols)
    print(f"wrote the manifest, the model card and plots of {manifest.model_path}")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from training.evaluation.compare import compare_manifests

    print(compare_manifests(arguments.one, arguments.other))
    return 0


def _positive(wanted: int | None, otherwise: int, option: str = "--steps") -> int:
    if wanted is not None and wanted < 1:
        raise OverheardError(f"{option} is {wanted}; it must be at least 1")
    return wanted or otherwise
