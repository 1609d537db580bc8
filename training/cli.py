"""The command ``overheard train``: convert the ImageNet weights, measure protocols, release a model."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import OverheardError

if TYPE_CHECKING:
    from training.features import FeaturesByPooling
    from training.gtzan import Gtzan


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
    parser = argparse.ArgumentParser(prog="overheard train", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    imagenet = commands.add_parser("imagenet", help="convert torchvision's MobileNetV2 weights (needs torch)")
    imagenet.add_argument("pth", type=Path, help="mobilenet_v2-b0353104.pth")
    imagenet.add_argument("--out", type=Path, help="the .npz to write; by default the shipped one")
    imagenet.set_defaults(run=_imagenet)

    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--gtzan", type=Path, required=True, metavar="DIR", help="GTZAN's table and arrays")
    data.add_argument("--cache", type=Path, default=Path("build/features"), metavar="DIR", help="of features")
    data.add_argument("--seeds", type=int, default=3, help="runs of each network on the fault-filtered split")

    protocols = commands.add_parser("protocols", parents=[data], help="accuracy under three protocols")
    protocols.add_argument("--json", action="store_true", help="print JSON instead of a table")
    protocols.set_defaults(run=_protocols)

    release = commands.add_parser("release", parents=[data], help="make the model that ships")
    release.add_argument("--out", type=Path, default=Path("models/artifacts"), metavar="DIR")
    release.add_argument(
        "--protocols", type=Path, metavar="FILE", help="output of protocols --json; else they are measured"
    )
    release.set_defaults(run=_release)
    return parser


def _imagenet(arguments: argparse.Namespace) -> int:
    from training.imagenet import SHIPPED, convert

    target = arguments.out or SHIPPED
    print(f"{target}: SHA-256 {convert(arguments.pth, target)}")
    return 0


def _protocols(arguments: argparse.Namespace) -> int:
    from training.evaluate import protocol_table

    scores = _measure(arguments, *_data(arguments))
    print(json.dumps(scores, indent=1) if arguments.json else protocol_table(scores))
    return 0


def _release(arguments: argparse.Namespace) -> int:
    from models.spectrogram import AudioSpec
    from training.release import release

    protocols = None
    if arguments.protocols:
        try:
            protocols = json.loads(arguments.protocols.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OverheardError(
                f"cannot read {arguments.protocols}: {error}; write it with overheard train protocols --json"
            ) from error
    gtzan, features = _data(arguments)
    if protocols is None:
        protocols = _measure(arguments, gtzan, features)
    manifest = release(
        gtzan, features, AudioSpec(), arguments.out, protocols=protocols, seeds=range(arguments.seeds)
    )
    print(f"wrote {manifest.model_path}, its manifest and its model card")
    return 0


def _data(arguments: argparse.Namespace) -> tuple[Gtzan, FeaturesByPooling]:
    from models.spectrogram import AudioSpec
    from training.features import features
    from training.gtzan import Gtzan
    from training.release import CANDIDATES

    gtzan, poolings = Gtzan.load(arguments.gtzan), sorted({v.time_pooling for v in CANDIDATES})
    return gtzan, {pooling: features(gtzan, AudioSpec(), pooling, arguments.cache) for pooling in poolings}


def _measure(
    arguments: argparse.Namespace, gtzan: Gtzan, features: FeaturesByPooling
) -> list[dict[str, Any]]:
    from training.evaluate import PROTOCOLS, protocols_as_json, run_protocol
    from training.release import CANDIDATES

    return protocols_as_json(
        [
            run_protocol(
                protocol, variant, recipe, gtzan, features[variant.time_pooling], range(arguments.seeds)
            )
            for variant, recipe in CANDIDATES.items()
            for protocol in PROTOCOLS
        ]
    )
