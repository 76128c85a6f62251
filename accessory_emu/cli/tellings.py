"""What `ctl` found: document, lines and exit code are made by one function, so they cannot disagree."""

from collections.abc import Sequence
from typing import Final

from accessory_emu.accessory.catalogue import to_words
from accessory_emu.accessory.model import Accessory
from accessory_emu.cli.acting import Scene, Session
from accessory_emu.cli.output import Exit, Result, table
from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.identifiers import AccessoryId, Version
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.runtime.trace_file import Trace, iso_time, read_trace
from accessory_emu.spec import reasons
from accessory_emu.storage.base import StoreError
from controllers.attempt import Accepted, Act, BadReply, NotSent, Refused, Silent
from controllers.errors import Code
from controllers.home import HomeView
from controllers.pairing_flow import Pairing
from controllers.results import Change, ChangeState, Row, RowState

_DIGEST: Final = 16
_GONE: Final = {
    RowState.PENDING: "delete_pending",
    RowState.COMMITTED: "deleted",
    RowState.REFUSED: "refused",
}


def log_document(version: Version | None) -> dict[str, object] | None:
    """Give a version as documents have it."""
    if version is None:
        return None
    return {"epoch": f"{version.epoch:016x}", "turn": version.turn, "seq": version.seq}


def sent(session: Session, act: Act, name: str, said: str, model: Accessory | None, waited: int) -> Result:
    """Tell what became of a command."""
    scene, who, outcome = session.scene, session.member.identity.name, act.outcome
    document: dict[str, object] = {
        "schema": "accessory-emu.send/1",
        "outcome": "not_sent",
        "as": who,
        "to": name,
        "command": act.command.hex() if act.command else None,
        "attempts": len([each for each in act.sent if each.op is act.op]),
        "waited_ms": waited,
        "reason": None,
        "results": [],
        "trace": None,
    }
    match outcome:
        case Accepted(results, version):
            items = _results(results, model)
            document |= {"outcome": "accepted", "results": items}
            read = " ".join(f"{each['key']}={_shown(each['value'])}" for each in items if "value" in each)
            text = f"accepted   {name}: {read or said}   answer signed by {name}, log {version}"
            return Result(document, [text])
        case Refused(reason):
            document |= {
                "outcome": "refused",
                "reason": reason.word,
                "results": _results(outcome.results, model),
            }
            cure = reasons()[reason.word].cure
            return Result(document, [f"refused    {name}: {reason.word}", f"cure: {cure}"], Exit.JUDGED)
        case Silent(code=code) | BadReply(code=code) | NotSent(code=code):
            return _silent(scene, act, name, document, code)
    return _silent(scene, act, name, document, Code.NO_REPLY)


def _silent(scene: Scene, act: Act, name: str, document: dict[str, object], code: Code) -> Result:
    found = _find_trace(scene, act)
    trace = None
    lines = []
    match act.outcome:
        case Silent(waited):
            outcome, seconds = "silent", round(waited / 1000, 1)
            text = (
                f"no answer within {seconds:g} s: an accessory never answers a sender it cannot authenticate"
            )
            lines.append(f"silent     {text}")
        case BadReply(replies):
            outcome = "bad_reply"
            lines.append(f"bad reply  {replies} answers came that {name} has not signed for this command")
        case _:
            outcome = code.value
            lines.append(f"not sent   {name}: {code.value}")
    if found is not None:
        trace = {"n": found.n, "verdict": found.verdict, "check": found.check, "reason": found.reason}
        lines.append(f'trace      {name}, check "{found.check}": {found.reason}')
    cure = code.cure
    known = reasons().get(found.reason or "") if found is not None else None
    if known is not None:
        cure = known.cure
    lines.append(f"cure: {cure}")
    document |= {"outcome": outcome, "trace": trace}
    return Result(document, lines, Exit.NOBODY)


def _find_trace(scene: Scene, act: Act) -> Trace | None:
    """Find the verdict on the own bytes, where the emulated accessory's trace can be read."""
    if scene.running is None or scene.running.trace is None:
        return None
    from pathlib import Path

    digests = {sha256(each.raw)[:_DIGEST].hex() for each in act.sent}
    newest = None
    try:
        for trace in read_trace(Path(scene.running.trace)):
            if trace.digest in digests:
                newest = trace
    except StoreError:
        return None
    return newest


def _results(results: Value | None, model: Accessory | None) -> list[dict[str, object]]:
    """Give an item per value; what is no list of items is left out."""
    items: list[dict[str, object]] = []
    for each in results if isinstance(results, list) else []:
        if not isinstance(each, list) or len(each) < 3:  # noqa: PLR2004 - aid, iid, status
            continue
        aid, iid, status, *value = each
        found = model.at(aid, iid) if model and isinstance(aid, int) and isinstance(iid, int) else None
        item: dict[str, object] = {
            "key": found.word if found else f"{aid}.{iid}",
            "aid": aid,
            "iid": iid,
            "status": status,
        }
        if value and isinstance(aid, int) and isinstance(iid, int):
            words = to_words(model, [(aid, iid, value[0])]) if model else {}
            item["value"] = next(iter(words.values()), value[0])
        items.append(item)
    return items


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def changed(session: Session, change: Change, now: int) -> Result:
    """Tell what became of a change: a row per enrolled accessory, never one yes or no."""
    view, scene = session.member.view, session.scene
    rows = change.table.rows(view, now) if view is not None else []
    who = session.member.identity.name
    op = RequestOp(change.op).name.lower()
    document: dict[str, object] = {
        "schema": "accessory-emu.change/1",
        "op": op,
        "subject": change.subject,
        "author": who,
        "sequencer": scene.founded.owner if scene.founded else None,
        "request": change.id.hex(),
        "outcome": change.outcome,
        "reason": change.reason.word if change.reason else None,
        "log": log_document(change.version),
        "accessories": [_row_document(scene, row) for row in rows],
    }
    if change.state is ChangeState.COMMITTED:
        head = f"{change.version}   {who} asked: {op} {change.subject}".rstrip()
        return Result(document, [head, *_row_lines(scene, rows, removal=change.op is RequestOp.REMOVE)])
    if change.state is ChangeState.REFUSED and change.reason is not None:
        lines = [f"refused    {op} {change.subject}: {change.reason.word}"]
        lines.append(f"cure: {reasons()[change.reason.word].cure}")
        return Result(document, lines, Exit.JUDGED)
    code = change.code or Code.NO_REPLY
    return Result(
        document, [f"{change.outcome}: nothing is known to be changed", f"cure: {code.cure}"], Exit.NOBODY
    )


def _row_document(scene: Scene, row: Row) -> dict[str, object]:
    reason = row.reason.word if row.reason else row.cause.value if row.cause else None
    found: dict[str, object] = {"id": scene.name(row.accessory), "state": row.state.value, "reason": reason}
    return found if row.state is RowState.COMMITTED else {**found, "since": iso_time(row.since)}


def _row_lines(scene: Scene, rows: Sequence[Row], *, removal: bool) -> list[str]:
    done = [row for row in rows if row.state is RowState.COMMITTED]
    word = {state: _GONE[state] if removal else state.value for state in RowState}
    lines = []
    if done and removal:
        lines.append(f" {word[RowState.COMMITTED]}   {', '.join(scene.name(row.accessory) for row in done)}")
    elif done:
        lines.append(f" {word[RowState.COMMITTED]}   {len(done)} of {len(rows)}")
    for row in rows:
        if row.state is not RowState.COMMITTED:
            why = row.reason.word if row.reason else row.cause.value if row.cause else ""
            lines.append(f" {word[row.state]}   {scene.name(row.accessory)}   {why}".rstrip())
    return lines


def paired(session: Session, pairings: Sequence[Pairing]) -> Result:
    """Tell what became of pairings."""
    scene = session.scene
    home = scene.running.home if scene.running else "home"
    items, lines, exit_code = [], [], Exit.DONE
    for each in pairings:
        name, failure = scene.name(each.accessory), each.failure
        items.append(
            {
                "id": name,
                "accessory_id": each.accessory.hex(),
                "outcome": "failed" if failure else "paired",
                "step": failure.step.value if failure else each.step.value,
                "tlv_error": failure.tlv_error if failure else None,
                "reason": _why(each),
            }
        )
        if failure is None:
            lines.append(f"paired     {name} ({each.accessory.hex()}), home {home} adopted   {each.version}")
            continue
        lines.append(f"failed     {name}, {failure.step.value}: {failure.detail} ({_why(each)})")
        exit_code = max(exit_code, Exit.NOBODY if failure.code else Exit.JUDGED)
    if not pairings:
        lines.append("nothing to pair: every accessory is in the home")
    return Result({"schema": "accessory-emu.pair/1", "accessories": items}, lines, exit_code)


def _why(pairing: Pairing) -> str | None:
    failure = pairing.failure
    if failure is None:
        return None
    if failure.reason is not None:
        return failure.reason.word
    return failure.code.value if failure.code else None


def listed(session: Session, of: str, names: dict[str, str]) -> Result:
    """Tell what a controller knows."""
    view = session.member.view
    rows: list[dict[str, object]] = []
    if view is not None:
        rows = {"people": _people, "accessories": _accessories, "log": _log}[of](session, view, names)
    document = {"schema": "accessory-emu.list/1", "of": of, "items": rows}
    if not rows:
        return Result(document, [f"no {of} known"])
    cells = [[str(key).replace("_", " ") for key in rows[0]]]
    cells += [["-" if value is None else str(value) for value in row.values()] for row in rows]
    return Result(document, table(cells))


def _people(_session: Session, view: HomeView, names: dict[str, str]) -> list[dict[str, object]]:
    if view.log is None:
        return []
    return [
        {
            "name": names.get(grant.kid.hex()),
            "role": grant.role.name.lower(),
            "since": str(grant.since),
            "added_by": names.get(grant.author.hex(), grant.author.hex()),
            "key": grant.kid.hex(),
        }
        for grant in sorted(view.log.allowlist.ordered(), key=lambda grant: grant.since)
    ]


def _accessories(session: Session, view: HomeView, _names: dict[str, str]) -> list[dict[str, object]]:
    return [_state(session.scene, view, each) for each in sorted(view.roster.keys)]


def _log(_session: Session, view: HomeView, _names: dict[str, str]) -> list[dict[str, object]]:
    return [{"version": str(each.version), "entry": each.id.hex()[:16]} for each in view.entries]


def _state(scene: Scene, view: HomeView, accessory: AccessoryId) -> dict[str, object]:
    announce, shown = view.heard(accessory), view.shown_version(accessory)
    return {
        "id": scene.name(accessory),
        "accessory_id": accessory.hex(),
        "log": str(shown) if shown else None,
        "reachable": view.reachable(accessory),
        "boot": announce.boot.hex() if announce else None,
        "at_head": view.at_head(accessory),
    }


def status(session: Session, only: AccessoryId | None, *, strict: bool) -> Result:
    """Tell versions and results per accessory."""
    view, scene = session.member.view, session.scene
    if view is None or view.log is None:
        code = Code.HOME_NOT_KNOWN
        lines = [f"{code.value}: no home is known here", f"cure: {code.cure}"]
        return Result(
            {"schema": "accessory-emu.status/1", "head": None, "accessories": []}, lines, Exit.NOBODY
        )
    wanted = [each for each in sorted(view.roster.keys) if only in (None, each)]
    items = [_state(scene, view, each) for each in wanted]
    behind = [item for item in items if not item["at_head"]]
    stated = view.stated
    document = {
        "schema": "accessory-emu.status/1",
        "head": log_document(view.version),
        "stated_by": scene.founded.owner if scene.founded else None,
        "stated_at": iso_time(stated.at) if stated else None,
        "accessories": items,
    }
    home = scene.running.home if scene.running else view.home.hex()
    head = f"home {home}   head {view.version}   "
    lines = [head + f"{len(items) - len(behind)} of {len(items)} accessories at the head"]
    lines += [
        f" {item['id']}   {item['log'] or '-'}   {'behind' if item['reachable'] else 'not reachable'}"
        for item in behind
    ]
    return Result(document, lines, Exit.JUDGED if strict and behind else Exit.DONE)
