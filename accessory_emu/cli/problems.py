"""What the rooms raise, as problems with their cures and exit codes."""

from accessory_emu.cli.output import Exit, Problem
from accessory_emu.pairing.setup_payload import BadSetupCode
from accessory_emu.runtime.yaml_file import FileErrors
from accessory_emu.storage.base import StoreError, StoreLocked
from accessory_emu.transports.broker_config import CannotListen, PortInUse
from controllers.errors import Code, ControllerError

_JUDGED = {Code.OWNERSHIP_FAILURE, Code.USER_MANAGEMENT_FAILED, Code.INVITE_EXPIRED}


def of_rooms(error: Exception) -> Problem | None:  # noqa: PLR0911 - a table, a line each
    """Give the problem that an exception stands for; None for one that is a bug of ours."""
    match error:
        case FileErrors():
            return Problem("file_errors", str(error), "", Exit.FILE, _errors(error))
        case StoreLocked():
            return _split("store_locked", str(error), Exit.NOBODY)
        case StoreError():
            return _split("store_error", str(error), Exit.INTERNAL)
        case PortInUse():
            return Problem("port_in_use", f"port {error.port} is in use", _port_cure(error.port), Exit.NOBODY)
        case CannotListen():
            return Problem("cannot_listen", str(error), "choose an address of this machine", Exit.NOBODY)
        case ControllerError():
            exit_code = Exit.JUDGED if error.code in _JUDGED else Exit.NOBODY
            return Problem(error.code.value, str(error), error.code.cure, exit_code)
        case BadSetupCode():
            return Problem("bad_value", str(error), "look at the label again: 203-45-171", Exit.USAGE)
        case _:
            return None


def _errors(errors: FileErrors) -> dict[str, object]:
    found = [
        {
            "file": each.file,
            "line": each.line,
            "path": each.path,
            "message": each.message,
            "suggestion": each.suggestion,
        }
        for each in errors.errors
    ]
    return {"schema": "accessory-emu.file-errors/1", "errors": found}


def _port_cure(port: int) -> str:
    there = f"--broker mqtt://127.0.0.1:{port}"
    return f"use --port 0 for a free port, or {there} to use the MQTT broker that is running there"


def _split(code: str, text: str, exit_code: Exit) -> Problem:
    message, _, cure = text.partition("; cure: ")
    return Problem(code, message, cure, exit_code)
