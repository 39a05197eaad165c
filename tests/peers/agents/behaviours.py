"""What an agent does, by name: one worker serves all behaviours, and the metadata of a dispatch chooses.

`behaviours.json` names them, for the Node agents too, and README.md says what each option is. The metadata
is a JSON object with `behaviour` and any option; what else is in it is left alone, and without it
AGENT_BEHAVIOUR and AGENT_OPTIONS (such an object) of the environment hold.
"""

import json
import os
import pathlib
import types

_KNOWN = json.loads(pathlib.Path(__file__).with_name("behaviours.json").read_text(encoding="utf-8"))


def _object_in(text):
    """The object in a text; none where there is something else."""
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def chosen(metadata=""):
    """The options of a dispatch, with the environment's beneath them."""
    asked = {
        "behaviour": os.environ.get("AGENT_BEHAVIOUR", "plain"),
        **_object_in(os.environ.get("AGENT_OPTIONS", "")),
        **_object_in(metadata),
    }
    behaviour, defaults = asked["behaviour"], _KNOWN["options"]
    if behaviour not in _KNOWN["behaviours"]:
        raise ValueError(f"no behaviour is named {behaviour!r}: see behaviours.json")
    own = {key: value for key, value in asked.items() if key in defaults}
    return types.SimpleNamespace(**{**defaults, **_KNOWN["behaviours"][behaviour], **own})
