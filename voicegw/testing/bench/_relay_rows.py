"""What bad networks leave of calls: rows and tables of records, recordings and what the telephones heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from voicegw.testing.bench._relay_calls import RelayedCall
from voicegw.testing.impairment import CATALOGUE

_LOSS_AIM_POINTS: Final = 10.0
_CLEAN_AIM_PERCENT: Final = 2.0
_WAY_AIM_MS: Final = 400.0
"""ITU-T G.114: a way of more is for no network to be planned with."""
_COUNT_AIM_PERCENT: Final = 1.0
_UNREPORTED: Final = 0.15
"""Of a call of the whole bench, behind the last report."""
FEC, NO_FEC = "opus", "opus-nofec"


@dataclass(frozen=True, slots=True)
class Words:
    """What became of the sentences of one side. ``misheard`` of ``words`` words; ``distances`` in dB."""

    words: int
    misheard: int
    distances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One call. ``ways_ms``: from the telephone to the recording, of each sentence."""

    call: RelayedCall
    there: Words
    back: Words
    ways_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One codec through one network: ``in``, from the caller to us, and ``out``, what the caller heard of us.

    ``lost`` and ``late`` are of the call's record, that of the way out from baresip's reports; ``relay_lost`` is
    what the relay took. What was lost or late was concealed. ``distance_db``: see
    :mod:`voicegw.testing.speech_distance`. ``words``: those that were compared.
    """

    codec: str
    network: str
    calls: int
    words_in: int
    words_out: int
    mos_in: float
    mos_out: float
    lost_in_percent: float
    late_in_percent: float
    relay_lost_in_percent: float
    lost_out_percent: float
    relay_lost_out_percent: float
    way_in_p50_ms: float
    way_in_max_ms: float
    distance_in_db: float
    distance_out_db: float
    word_error_in: float
    word_error_out: float


def row_of(codec: str, network: str, calls: Sequence[Measured]) -> Row:
    """The sum over calls through the same network by the same codec."""
    media = [each.call.media for each in calls]
    sent_in = sum(each.call.there.received for each in calls)
    sent_out = sum(each.call.back.received for each in calls)
    ways = [way for each in calls for way in each.ways_ms]
    return Row(
        codec,
        network,
        len(calls),
        sum(each.there.words for each in calls),
        sum(each.back.words for each in calls),
        round(float(np.mean([each.mos for each in media])), 2),
        round(float(np.mean([each.peer_mos for each in media])), 2),
        round(100 * sum(each.packets_lost for each in media) / sent_in, 1),
        round(100 * sum(each.packets_late for each in media) / sent_in, 1),
        round(100 * sum(each.call.there.lost for each in calls) / sent_in, 1),
        round(100 * sum(max(each.peer_lost, 0) for each in media) / sent_out, 1),
        round(100 * sum(each.call.back.lost for each in calls) / sent_out, 1),
        round(float(np.median(ways))),
        round(max(ways)),
        *(_distance([getattr(each, side) for each in calls]) for side in ("there", "back")),
        *(_word_error([getattr(each, side) for each in calls]) for side in ("there", "back")),
    )


def _distance(sides: Sequence[Words]) -> float:
    return round(float(np.mean([far for side in sides for far in side.distances])), 2)


def _word_error(sides: Sequence[Words]) -> float:
    return round(100 * sum(side.misheard for side in sides) / sum(side.words for side in sides), 1)


HEAD: Final = (
    "codec       network          MOS in   out  lost % in  late   out  way in ms   max  distance dB in    out  "
    "word error % in   out"
)


def line(row: Row) -> str:
    """For people, below :data:`HEAD`."""
    return (
        f"{row.codec:10}  {row.network:15}  {row.mos_in:6.2f}  {row.mos_out:.2f}  {row.lost_in_percent:9.1f}  "
        f"{row.late_in_percent:4.1f}  {row.lost_out_percent:4.1f}  "
        f"{row.way_in_p50_ms:9.0f}  {row.way_in_max_ms:4.0f}  "
        f"{row.distance_in_db:14.2f}  {row.distance_out_db:5.2f}  "
        f"{row.word_error_in:15.1f}  {row.word_error_out:4.1f}"
    )


def markdown(rows: Sequence[Row]) -> str:
    """A table for the documents: a line a network, of which MOS, loss and delay are the mean of all codecs."""
    codecs = list(dict.fromkeys(row.codec for row in rows))
    head = ["network", "MOS in, out", "lost in (late), out %", "way in, longest ms", *codecs]
    lines = [head, ["---"] * len(head)]
    for network in dict.fromkeys(row.network for row in rows):
        mine = {row.codec: row for row in rows if row.network == network}
        lines.append([network, *_common(list(mine.values())), *(_cell(mine.get(codec)) for codec in codecs)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _common(rows: Sequence[Row]) -> tuple[str, str, str]:
    def mean(name: str) -> float:
        return float(np.mean([getattr(row, name) for row in rows]))

    return (
        f"{mean('mos_in'):.2f}, {mean('mos_out'):.2f}",
        f"{mean('lost_in_percent'):.1f} ({mean('late_in_percent'):.1f}), {mean('lost_out_percent'):.1f}",
        f"{mean('way_in_p50_ms'):.0f}, {max(row.way_in_max_ms for row in rows):.0f}",
    )


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{row.distance_in_db:.1f}, {row.word_error_in:g}; {row.distance_out_db:.1f}, {row.word_error_out:g}"


def verdicts(rows: Sequence[Row]) -> dict[str, bool]:
    """The aims for which there are rows, each with whether it was met."""
    found = {
        f"the record has what the relay took away, within {_COUNT_AIM_PERCENT:g} % of the packets": all(
            _is_counted(row) for row in rows
        ),
        f"the way in is never longer than {_WAY_AIM_MS:.0f} ms": max(row.way_in_max_ms for row in rows)
        <= _WAY_AIM_MS,
    }
    by_codec: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_codec.setdefault(row.codec, {})[row.network] = row
    for codec, networks in by_codec.items():
        found |= _of_codec(codec, networks)
    if FEC in by_codec and NO_FEC in by_codec:
        found |= _of_fec(by_codec[FEC], by_codec[NO_FEC])
    return found


def _is_counted(row: Row) -> bool:
    """In what baresip reports packets that came twice make up for lost ones, as RFC 3550 §6.4.1 has it, and what is
    lost behind its last report is missing."""
    unknown = 100 * CATALOGUE[row.network].duplicated + _UNREPORTED * row.relay_lost_out_percent
    more_in = row.lost_in_percent - row.relay_lost_in_percent
    more_out = row.lost_out_percent - row.relay_lost_out_percent
    return abs(more_in) <= _COUNT_AIM_PERCENT and -_COUNT_AIM_PERCENT - unknown <= more_out <= _COUNT_AIM_PERCENT


def _of_codec(codec: str, networks: Mapping[str, Row]) -> dict[str, bool]:
    if "none" not in networks:
        return {}
    clean = networks["none"]
    found = {
        f"a good network costs {codec} at most {_CLEAN_AIM_PERCENT:g} % of the words, both ways": (
            max(clean.word_error_in, clean.word_error_out) <= _CLEAN_AIM_PERCENT
        )
    }
    if bad := networks.get("loss 3 %"):
        more = max(bad.word_error_in - clean.word_error_in, bad.word_error_out - clean.word_error_out)
        aim = f"3 % of loss cost {codec} at most {_LOSS_AIM_POINTS:g} points of word error, both ways"
        found[aim] = more <= _LOSS_AIM_POINTS
    return found


def _of_fec(with_it: Mapping[str, Row], without: Mapping[str, Row]) -> dict[str, bool]:
    """By what losses add to the distance: the bits of FEC are missing elsewhere, lost or not."""
    if not {"none", "loss 10 %"} <= with_it.keys():
        return {}
    costs = [
        (
            rows["loss 10 %"].distance_in_db - rows["none"].distance_in_db,
            rows["loss 10 %"].distance_out_db - rows["none"].distance_out_db,
        )
        for rows in (with_it, without)
    ]
    return {
        "10 % of loss cost what we hear by Opus less with FEC than without": costs[0][0] < costs[1][0],
        "10 % of loss cost what the caller hears by Opus less with FEC than without": costs[0][1] < costs[1][1],
    }
