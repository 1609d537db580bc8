"""The command ``overheard train``: from recordings to the model that ships, and what is known of it."""

from __future__ import annotations

import argparse
import json
import logging
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.common.cli import ArgumentParser
from models.common.ray import ENGINES
from models.errors import OverheardError

if TYPE_CHECKING:
    from training.data.ingest import IngestJob

CACHE = Path("build/cache")
TAUGHT = Path("build/music_mobilenet_v2.npz")


def command(argv: Sequence[str]) -> int:
    """Run ``overheard train`` with the arguments after the word ``train``.

    Returns
    -------
    int
        0; bad arguments end in ``SystemExit``.

    Raises
    ------
    OverheardError
        Anything a person can mend: missing data, weights or packages.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return int(arguments.run(arguments))
    except ModuleNotFoundError as error:
        raise OverheardError(
            f"training needs the package {error.name}; run pip install overheard[training]"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(prog="overheard train", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    imagenet = commands.add_parser("imagenet", help="convert torchvision's MobileNetV2 weights (needs torch)")
    imagenet.add_argument("pth", type=Path, help="mobilenet_v2-b0353104.pth")
    imagenet.add_argument("--out", type=Path, help="the .npz to write; by default the shipped one")
    imagenet.set_defaults(run=_imagenet)

    engine = ArgumentParser(add_help=False)
    engine.add_argument(
        "--engine", choices=ENGINES, default="local", help="runs one by one here (default), or as Ray tasks"
    )

    study = commands.add_parser(
        "study", parents=[engine], help="repeat the study's table, and test its claim"
    )
    study.add_argument("--gtzan", type=Path, required=True, metavar="DIR", help="GTZAN's table and arrays")
    study.add_argument(
        "--cache", type=Path, default=Path("build/features"), metavar="DIR", help="of features"
    )
    study.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    study.add_argument("--quick", action="store_true", help="few epochs and folds: to see that it runs")
    study.set_defaults(run=_study)

    cached = ArgumentParser(add_help=False)
    cached.add_argument("--cache", type=Path, default=CACHE, metavar="DIR", help=f"of windows ({CACHE})")

    prepare = commands.add_parser("prepare", parents=[cached], help="write sound and arrays to the cache")
    prepare.add_argument("--gtzan", type=Path, metavar="DIR", help="GTZAN: audio by genre, arrays, or both")
    for name, help_text in (
        ("--folder", "audio in one folder per genre"),
        ("--music", "music of any genre, to be taught from"),
        ("--table", "CSV of files and genres; the files lie in the folder of the same name"),
        ("--pictures", "arrays track_id and db_u8"),
    ):
        prepare.add_argument(name, type=Path, action="append", default=[], metavar="PATH", help=help_text)
    prepare.add_argument("--noises", type=int, default=0, metavar="N", help="made sounds that are no music")
    prepare.add_argument("--teacher", action="store_true", help="let musicnn hear the windows (slow)")
    prepare.set_defaults(run=_prepare)

    teach = commands.add_parser("teach", parents=[cached], help="teach the backbone what musicnn heard")
    teach.add_argument("--out", type=Path, default=TAUGHT, metavar="FILE", help=f"the .npz ({TAUGHT})")
    teach.add_argument("--steps", type=int, metavar="N", help="batches of 32 windows (3200)")
    teach.set_defaults(run=_teach)

    tuned = ArgumentParser(add_help=False, parents=[cached])
    tuned.add_argument("--steps", type=int, metavar="N", help="batches of 32 windows in each run (150)")

    protocols = commands.add_parser(
        "protocols", parents=[tuned, engine], help="accuracy under three protocols"
    )
    protocols.add_argument("--gtzan", type=Path, required=True, metavar="DIR", help="its table and arrays")
    protocols.add_argument("--features", type=Path, default=Path("build/features"), metavar="DIR")
    protocols.add_argument("--work", type=Path, default=Path("build/protocols"), metavar="DIR")
    protocols.add_argument("--seeds", type=int, default=1, help="runs on the fault-filtered split")
    protocols.add_argument("--json", action="store_true", help="print JSON instead of a table")
    protocols.set_defaults(run=_protocols)

    ablate = commands.add_parser(
        "ablation", parents=[cached, engine], help="train without each part of the recipe"
    )
    ablate.add_argument("--steps", type=int, metavar="N", help="batches of each run (150)")
    ablate.add_argument("--work", type=Path, default=Path("build/ablation"), metavar="DIR")
    ablate.set_defaults(run=_ablation)

    release = commands.add_parser("release", parents=[tuned], help="make the model that ships")
    release.add_argument("--out", type=Path, default=Path("models/artifacts"), metavar="DIR")
    release.add_argument("--taught", type=Path, metavar="FILE", help="backbone; by default the shipped one")
    release.add_argument("--logs", type=Path, default=Path("build/logs"), metavar="DIR", help="TensorBoard's")
    release.add_argument("--seed", type=int, default=0)
    release.add_argument("--protocols", type=Path, metavar="FILE", help="output of protocols --json")
    release.set_defaults(run=_release)

    card = commands.add_parser(
        "card", parents=[cached], help="measure a released model again; rewrite its card"
    )
    card.add_argument("--out", type=Path, default=Path("models/artifacts"), metavar="DIR")
    card.add_argument("--float32", type=Path, default=Path("build/genre_float32.tflite"), metavar="FILE")
    card.add_argument("--protocols", type=Path, metavar="FILE", help="output of protocols --json")
    card.set_defaults(run=_card)

    compare = commands.add_parser("compare", help="put two models' figures side by side")
    compare.add_argument("one", type=Path, help="a manifest")
    compare.add_argument("other", type=Path, help="another")
    compare.set_defaults(run=_compare)
    return parser


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

    if arguments.noises < 0:
        raise OverheardError(f"--noises is {arguments.noises}; it must be at least 0")
    hear = None
    if arguments.teacher:
        from training.distillation.teacher import Teacher

        hear = Teacher().hear
    jobs: list[IngestJob] = []
    if arguments.gtzan:
        jobs += ingest.gtzan_jobs(arguments.gtzan, hear)
    for path in arguments.folder:
        jobs += ingest.folder_jobs(path, hear)
    for path in arguments.music:
        jobs += ingest.folder_jobs(path, hear, source="music", labelled=False)
    for path in arguments.table:
        jobs += ingest.table_jobs(path, hear)
    if arguments.pictures:
        jobs += ingest.array_jobs(arguments.pictures)
    jobs += synthetic_noise.noise_jobs(arguments.noises)
    if not jobs:
        raise OverheardError(
            "there is nothing to prepare; name --gtzan, --folder, --music, --table, --pictures or --noises"
        )
    with Progress(transient=True) as progress:
        task = progress.add_task("preparing", total=len(jobs))
        faults = ingest.ingest(jobs, arguments.cache, lambda done, _: progress.update(task, completed=done))
    for fault in faults:
        print(fault)
    print(f"{arguments.cache} holds {len(Corpus.load(arguments.cache).entries)} tracks")
    return 0


def _teach(arguments: argparse.Namespace) -> int:
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
        taught=arguments.taught or DISTILLED_WEIGHTS,
        logs=arguments.logs,
    )
    print(f"wrote {manifest.model_path}, its manifest, its model card and plots")
    return 0


def _card(arguments: argparse.Namespace) -> int:
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
