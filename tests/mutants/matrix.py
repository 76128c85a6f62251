"""Plants known bugs, one at a time, and asks that the tests convict each: `python tests/mutants/matrix.py`.

A mutant switches one rule off by replacing one piece of source, which must stand there exactly once. It is
killed when a named test fails on it; a line that no longer applies, or a mutant that lives, is exit code 1.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOUSE: Final = Path(__file__).parents[2]
PROTOCOL, ACCESSORY = "accessory_emu/protocol/", "accessory_emu/accessory/"
COMMAND, LOG = PROTOCOL + "exchanges/command.py", PROTOCOL + "membership/log.py"
VERDICT, FRESH = PROTOCOL + "membership/verdict.py", PROTOCOL + "membership/freshness.py"
JOINING, ENVELOPE = PROTOCOL + "exchanges/joining.py", PROTOCOL + "envelope.py"
RUNGS, ENGINE = "tests/accessory/test_rungs.py", "tests/accessory/test_engine.py"
REQUESTS = "tests/accessory/test_requests.py"
JOIN = "tests/accessory/test_adoption.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule switched off."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS: Final = [
    # the rungs
    Mutant("size", ENVELOPE, "if len(data) > limits.CHECKPOINT_SIZE:", "if False:", RUNGS),
    Mutant(
        "grammar",
        ENVELOPE,
        "    envelope, end = _read(data, 0)\n    if end != len(data):",
        "    envelope, end = _read(data, 0)\n    if False:",
        RUNGS,
    ),
    Mutant(
        "key",
        COMMAND,
        "    if grant is None:\n        raise UnknownKey",
        "    if grant is None:\n        grant = view.log.allowlist.owner()",
        RUNGS,
    ),
    Mutant("not-paired", COMMAND, "raise NotPaired\n", "raise UnknownKey\n", RUNGS),
    Mutant("signature", ENVELOPE, "if not check(public, signed, envelope.signature):", "if False:", RUNGS),
    Mutant(
        "payload",
        PROTOCOL + "encoding.py",
        '        if self._rest:\n            raise Malformed(f"unknown',
        '        if False:\n            raise Malformed(f"unknown',
        RUNGS,
    ),
    Mutant("boot", COMMAND, "if command.boot != view.boot:", "if False:", RUNGS),
    Mutant("counter", PROTOCOL + "replay.py", "if ctr <= key.last:", "if False:", RUNGS),
    Mutant(
        "duplicate-acts",
        COMMAND,
        "    if answer is not None:\n        return Duplicate",
        "    if False:\n        return Duplicate",
        ENGINE,
    ),
    Mutant("acl-behind", COMMAND, "if command.version > log.version:", "if False:", RUNGS),
    Mutant("stale-acl", COMMAND, "if command.version < grant.since:", "if False:", RUNGS),
    Mutant("only-owner", COMMAND, "if log.only_owner and grant.role is not Role.OWNER:", "if False:", ENGINE),
    Mutant(
        "sync",
        COMMAND,
        "if not view.freshness.obeys(proven.log.version, proven.log.kind, now):",
        "if False:",
        RUNGS,
    ),
    Mutant(
        "owner-waits", COMMAND, "if proven.grant.role is Role.OWNER or _privilege", "if _privilege", ENGINE
    ),
    Mutant("expiry-past", COMMAND, "if expires * _MS < trusted:", "if False:", RUNGS),
    Mutant("expiry-missing", COMMAND, '        return "expiry missing"', '        return ""', RUNGS),
    Mutant("expiry-far", COMMAND, '"expiry too far ahead" if', '"" if', RUNGS),
    Mutant("nonce-missing", COMMAND, 'wrong = "nonce missing"', 'wrong = ""', ENGINE),
    Mutant(
        "nonce-again", PROTOCOL + "replay.py", "key.nonces.pop(nonce, None)", "key.nonces.get(nonce)", ENGINE
    ),
    Mutant("rights", COMMAND, "    if lacking:\n", "    if False:\n", RUNGS),
    Mutant(
        "value",
        ACCESSORY + "on_command.py",
        "    return Done(results, outcome.reason())",
        "    return Done(results)",
        RUNGS,
    ),
    Mutant(
        "retained",
        ACCESSORY + "engine.py",
        "if data.retained and channel not in _HOME_CHANNELS:",
        "if False:",
        ENGINE,
    ),
    # entries and requests
    Mutant("entry-signer", LOG, "if signer != self.sequencer_kid:", "if False:", REQUESTS),
    Mutant("entry-prev", LOG, "if entry.prev != self.head:", "if False:", REQUESTS),
    Mutant("entry-time", LOG, "if entry.time < self.time:", "if False:", REQUESTS),
    Mutant("entry-gap", LOG, " or entry.version.seq != self.version.seq + 1:", ":", ENGINE),
    Mutant("request-expiry", VERDICT, "    _expiry,\n", "", REQUESTS),
    Mutant("request-base", VERDICT, "    _base,\n", "", REQUESTS),
    Mutant("remove-wins", VERDICT, "    _not_removed,\n", "", REQUESTS),
    Mutant("request-rights", VERDICT, "    _rights,\n", "", REQUESTS),
    Mutant("admissible", VERDICT, "    _admissible,\n", "", REQUESTS),
    Mutant("acceptance", VERDICT, "    _accepted,\n", "", REQUESTS),
    Mutant("request-conflict", VERDICT, "    _no_conflict,\n", "", REQUESTS),
    Mutant("already-member", VERDICT, "    _no_member,\n", "", REQUESTS),
    Mutant("list-full", VERDICT, "    _room,\n", "", REQUESTS),
    Mutant(
        "ceiling",
        PROTOCOL + "membership/authority.py",
        "    return below and terms.role not in _OWNERS_BUSINESS",
        "    return True",
        REQUESTS,
    ),
    Mutant(
        "watermark",
        PROTOCOL + "membership/tombstones.py",
        "return self.watermark is not None and base <= self.watermark",
        "return False",
        REQUESTS,
    ),
    Mutant(
        "checkpoint-tombstone",
        LOG,
        "if grant.id in tombstones or grant.root in tombstones:",
        "if False:",
        ENGINE,
    ),
    Mutant("checkpoint-order", LOG, "if checkpoint.version.epoch <= self.version.epoch:", "if False:", JOIN),
    # freshness, joining, durability
    Mutant(
        "behind", FRESH, "if self.behind(own) or not self.synced_once:", "if not self.synced_once:", ENGINE
    ),
    Mutant(
        "start-grace",
        FRESH,
        "if not self._answered and now < since + limits.START_GRACE_MS:",
        "if False:",
        ENGINE,
    ),
    Mutant("first-sync", FRESH, "if self.behind(own) or not self.synced_once:", "if self.behind(own):", JOIN),
    Mutant("adopt-boot", JOINING, "if adopt.boot != boot:", "if False:", JOIN),
    Mutant(
        "adopt-author",
        JOINING,
        "if grant is None or grant.key != paired or not grant.terms.edit",
        "if False and not grant.terms.edit",
        JOIN,
    ),
    Mutant("adopt-head", JOINING, "            and self.log.head == self.adopt.head\n", "", JOIN),
    Mutant(
        "ack-before-disk",
        ACCESSORY + "engine.py",
        "        if self._open:\n            return ()\n",
        "",
        "tests/accessory/test_durability.py",
    ),
    Mutant("reset-keeps", ACCESSORY + "lifecycle.py", "    erase(turn)\n", "", JOIN),
    Mutant(
        "damage-unpairs",
        ACCESSORY + "engine.py",
        "        locked = error.detail\n    if kept",
        '        locked = ""\n    if kept',
        JOIN,
    ),
]


def convicted(mutant: Mutant) -> str:
    """Plant one bug in a copy; gives the test that failed, or "" and why not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("accessory_emu", "controllers", "tests", "configs"):
            shutil.copytree(HOUSE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HOUSE / "pyproject.toml", folder)
        path = folder / mutant.file
        source = path.read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            return f"?{mutant.name}: the source to replace stands there {source.count(mutant.old)} times"
        path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - our own tests
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.tests],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
        return found[1] if done.returncode == 1 and found else f"?{mutant.name}: {done.stdout[-300:]}"


def main(chosen: list[str]) -> int:
    """Judge the chosen mutants, or all; the last line counts."""
    mutants = [mutant for mutant in MUTANTS if not chosen or mutant.name in chosen]
    killed = 0
    with ThreadPoolExecutor(2) as pool:
        for mutant, test in zip(mutants, pool.map(convicted, mutants), strict=True):
            good = not test.startswith("?")
            killed += good
            print(f"{'killed' if good else 'ALIVE':7} {mutant.name:22} {test}", flush=True)  # noqa: T201
    print(f"{killed} of {len(mutants)} killed", flush=True)  # noqa: T201 - a script's result
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
