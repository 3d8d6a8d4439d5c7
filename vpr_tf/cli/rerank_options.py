"""Options of commands that compare photos with their candidates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.main import UsageError
from vpr_tf.cli.options import existing_file

if TYPE_CHECKING:
    from vpr_tf.config import RerankOverride
    from vpr_tf.place_index import IndexManifest, Reranking

# Those of `add_rerank`, and the folder of the photos.
RERANK_OPTIONS = ("rerank", "matcher", "matcher_weights", "photos_root")
NOT_COMPARED = {
    "photos": "The index says that photos are compared with their candidates by "
    "{matcher}, but keeps no key points for it and not where the photos are: none was. "
    "Pass {option} DIR, or --rerank never.",
    "weights": "The index says that photos are compared with their candidates by "
    "{matcher}, whose weights it does not keep: none was. Pass --matcher-weights FILE, "
    "or --rerank never.",
}


def add_rerank(parser: argparse.ArgumentParser) -> None:
    """Adds `--rerank`, `--matcher` and `--matcher-weights`."""
    group = add_matcher(parser)
    group.add_argument(
        "--rerank",
        choices=("never", "below_confidence", "always"),
        help="photos that are compared with their candidates point by point; default: "
        "as the index says",
    )


def add_matcher(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds `--matcher` and `--matcher-weights`; returns their group."""
    group = parser.add_argument_group("re-ranking, see docs/reranking.md")
    group.add_argument(
        "--matcher",
        choices=("xfeat", "sift", "dense"),
        help="what compares them; default: as the index says",
    )
    group.add_argument(
        "--matcher-weights",
        type=existing_file,
        metavar="FILE",
        help="of xfeat, see `vpr convert --matcher`",
    )
    return group


def rerank_of(
    options: argparse.Namespace,
    manifest: IndexManifest,
    photos_root: str | Path | None,
    option: str,
    *,
    is_one_of_several: bool = False,
) -> tuple[Reranking | None, list[str]]:
    """Returns how candidates are compared, None if they are not, and what to say of it.

    Args:
        options: Of `add_rerank`.
        manifest: Of the index, which may keep key points.
        photos_root: Folder of its photos; None where it is not given.
        option: Which option names that folder.
        is_one_of_several: Whether the options are for other indexes, too.

    Raises:
        ConfigError: The options do not go together.
        UsageError: A matcher or the folder is named for it, and nothing is to be
            compared.
        LocalizationError: Photos are to be compared, there is no folder and no key
            points are kept.
    """
    stored = manifest.localization_settings[0].rerank
    override = override_of(options)
    config = override.over(stored)
    if config.when == "never":
        if not is_one_of_several:
            refuse_unused(options)
        return None, []
    from vpr_tf.place_index.reranking import Reranking, lacking

    lacks = lacking(override, stored, manifest.local_features, photos_root)
    if lacks:
        text = NOT_COMPARED[lacks].format(matcher=config.matcher, option=option)
        return None, [text]
    if photos_root is None and manifest.local_features is None:
        from vpr_tf.localization import LocalizationError

        raise LocalizationError(
            f"--rerank {options.rerank} compares photos with those of the index, which "
            f"keeps none, nor their key points. Pass {option} DIR, the folder that it "
            "was built of."
        )
    return Reranking(photos_root, config), []


def refuse_unused(options: argparse.Namespace) -> None:
    """Refuses options of re-ranking where nothing is re-ranked.

    Raises:
        UsageError: A matcher, its weights or the folder is named.
    """
    # A service shows the photos of its folder as well.
    for name in ("matcher", "matcher_weights", "photos_root"):
        if getattr(options, name, None) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} is of re-ranking, and nothing is "
                "re-ranked. Pass --rerank below_confidence or always."
            )


def override_of(options: argparse.Namespace) -> RerankOverride:
    """Returns what the options of `add_rerank` or `add_matcher` say."""
    from vpr_tf.config import RerankOverride

    weights = options.matcher_weights
    return RerankOverride(
        getattr(options, "rerank", None),
        options.matcher,
        None if weights is None else str(weights),
    )
