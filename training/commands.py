"""The commands of ``overheard train``: functions of the parsed arguments that return the exit status."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import OverheardError

if TYPE_CHECKING:
    from training.data.ingest import IngestJob
    from training.finetuning.recipe import FineTuningRecipe

DISTILLATION_LOGS = Path("build/logs/distill")


def prepare(arguments: argparse.Namespace) -> int:
    """Ingest recordings and arrays into the cache."""
    from rich.progress import Progress

    from training.data.corpus import Corpus
    from training.data.ingest import ingest_tracks
    from training.data.sources import array_jobs, folder_jobs, gtzan_jobs, table_jobs
    from training.data.synthetic_noise import noise_jobs

    if arguments.noises < 0:
        raise OverheardError(f"--noises is {arguments.noises}; it must be at least 0")
    embed = None
    if arguments.teacher:
        from training.distillation.ensemble import TeacherEnsemble

        embed = TeacherEnsemble(arguments.teacher).embed
    jobs: list[IngestJob] = []
    if arguments.gtzan:
        jobs += gtzan_jobs(arguments.gtzan, embed)
    for path in arguments.folder:
        jobs += folder_jobs(path, embed)
    for path in arguments.music:
        jobs += folder_jobs(path, embed, source="music", labelled=False)
    for path in arguments.table:
        jobs += table_jobs(path, embed)
    if arguments.spectrograms:
        jobs += array_jobs(arguments.spectrograms)
    jobs += noise_jobs(arguments.noises, embed)
    if not jobs:
        raise OverheardError(
            "nothing to prepare; name --gtzan, --folder, --music, --table, --spectrograms or --noises"
        )
    with Progress(transient=True) as progress:
        task = progress.add_task("preparing", total=len(jobs))
        notes = ingest_tracks(jobs, arguments.cache, lambda done, _: progress.update(task, completed=done))
    for note in notes:
        print(note)
    print(f"{arguments.cache} holds {len(Corpus.load(arguments.cache).entries)} tracks")
    return 0


def imagenet(arguments: argparse.Namespace) -> int:
    """Convert torchvision's weights."""
    from training.networks.pretrained import IMAGENET_WEIGHTS, convert_imagenet_weights

    target = arguments.out or IMAGENET_WEIGHTS
    print(f"{target}: SHA-256 {convert_imagenet_weights(arguments.pth, target)}")
    return 0


def distill(arguments: argparse.Namespace) -> int:
    """Distill the teachers into a backbone."""
    from training.data.corpus import Corpus
    from training.distillation.distill import DistillationConfig, distill, distillation_entries
    from training.finetuning.step_log import tensorboard_logger

    corpus = Corpus.load(arguments.cache)
    config = replace(DistillationConfig(), steps=_positive(arguments.steps, DistillationConfig().steps))
    log = tensorboard_logger(DISTILLATION_LOGS)
    entries = distillation_entries(corpus)
    digest = distill(corpus, entries, arguments.out, config, start=arguments.start, log=log)
    print(f"{arguments.out}: SHA-256 {digest}")
    return 0


def release(arguments: argparse.Namespace) -> int:
    """Train the shipped model and write its files."""
    from training.data.corpus import Corpus
    from training.data.partitions import fault_filtered
    from training.finetuning.recipe import TrainingRun
    from training.networks.pretrained import DISTILLED_WEIGHTS
    from training.release.release import ReleasePaths, release
    from training.study.protocols import read_protocol_records

    if not 0 <= arguments.seed < 2**32:
        raise OverheardError(f"--seed is {arguments.seed}; it must be from 0 to {2**32 - 1}")
    protocols = read_protocol_records(arguments.protocols) if arguments.protocols else []
    recipe = _recipe(arguments.steps)
    corpus = Corpus.load(arguments.cache)
    backbone = arguments.backbone or DISTILLED_WEIGHTS
    run = TrainingRun(fault_filtered(corpus), recipe, arguments.seed, backbone)
    paths = ReleasePaths(arguments.out, arguments.logs)
    manifest = release(corpus, run, paths, protocols=protocols)
    print(f"wrote {manifest.model_path}, its manifest, its model card and plots")
    return 0


def model_card(arguments: argparse.Namespace) -> int:
    """Measure a released model again and rewrite its card."""
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


def compare(arguments: argparse.Namespace) -> int:
    """Print the figures of two models."""
    from training.evaluation.compare import compare_manifests

    print(compare_manifests(arguments.one, arguments.other))
    return 0


def protocols(arguments: argparse.Namespace) -> int:
    """Score all networks under the three protocols."""
    from models.spectrogram.spec import AudioSpec
    from training.data.corpus import Corpus
    from training.data.gtzan import Gtzan
    from training.evaluation.protocol_table import PROTOCOLS, protocol_records, protocol_table
    from training.networks.pretrained import DISTILLED_WEIGHTS
    from training.parallel import open_executor
    from training.study.features import FeatureSet, cached_features
    from training.study.protocol_runs import run_protocol
    from training.study.protocols import score_fine_tuned, score_frozen
    from training.study.train_head import HEAD_RECIPES

    gtzan, corpus = Gtzan.load(arguments.gtzan), Corpus.load(arguments.cache.resolve())
    recipe = _recipe(arguments.steps)
    seeds = range(_positive(arguments.seeds, 1, "--seeds"))
    data = FeatureSet(gtzan.tracks, cached_features(gtzan, AudioSpec(), arguments.features))
    work = _make_work_folder(arguments)
    with open_executor(arguments.engine) as executor:
        scores = [
            run_protocol(protocol, variant, head_recipe, data, seeds, executor)
            for variant, head_recipe in HEAD_RECIPES.items()
            for protocol in PROTOCOLS
        ]
        scores += score_frozen(corpus, DISTILLED_WEIGHTS)
        scores += score_fine_tuned(corpus, recipe, seeds=seeds, work=work, executor=executor)
    records = protocol_records(scores)
    print(json.dumps(records, indent=1) if arguments.json else protocol_table(records))
    return 0


def ablation(arguments: argparse.Namespace) -> int:
    """Train without each part of the recipe."""
    from training.data.corpus import Corpus
    from training.parallel import open_executor
    from training.study.ablation import ABLATION_STEPS, format_ablation_table, run_ablation

    work = _make_work_folder(arguments)
    corpus = Corpus.load(arguments.cache.resolve())
    steps = _positive(arguments.steps, ABLATION_STEPS)
    with open_executor(arguments.engine) as executor:
        print(format_ablation_table(run_ablation(corpus, work, steps=steps, executor=executor)))
    return 0


def study(arguments: argparse.Namespace) -> int:
    """Reproduce the published study."""
    from models.spectrogram.spec import AudioSpec
    from training.data.gtzan import Gtzan
    from training.parallel import open_executor
    from training.study.features import FeatureSet, cached_features
    from training.study.fold_training import QUICK_PLAN, StudyPlan
    from training.study.report import format_study_table, format_verdict
    from training.study.study import run_study

    out: Path | None = arguments.json
    if out and not out.parent.is_dir():
        raise OverheardError(f"--json cannot write {out.name}: {out.parent} is not a folder; make it first")
    gtzan = Gtzan.load(arguments.gtzan)
    data = FeatureSet(gtzan.tracks, cached_features(gtzan, AudioSpec(), arguments.cache))
    with open_executor(arguments.engine) as executor:
        results = run_study(data, QUICK_PLAN if arguments.quick else StudyPlan(), executor)
    results["verdict"] = format_verdict(results)
    if out:
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(format_study_table(results), "", textwrap.fill(results["verdict"], 110), sep="\n")
    return 0


def _make_work_folder(arguments: argparse.Namespace) -> Path:
    """Create the folder of ``--work``. Its path is absolute, as Ray tasks run in other folders."""
    arguments.work.mkdir(parents=True, exist_ok=True)
    work: Path = arguments.work.resolve()
    return work


def _recipe(steps: int | None) -> FineTuningRecipe:
    from training.finetuning.recipe import FineTuningRecipe

    return replace(FineTuningRecipe(), steps=_positive(steps, FineTuningRecipe().steps))


def _positive(value: int | None, default: int, option: str = "--steps") -> int:
    if value is not None and value < 1:
        raise OverheardError(f"{option} is {value}; it must be at least 1")
    return value or default
