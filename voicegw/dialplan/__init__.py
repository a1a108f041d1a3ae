"""Layer 3: routes from numbers to agents. Pure: text in, decisions out."""

from voicegw.dialplan.compile import RouteRequest
from voicegw.dialplan.explain import Explanation, RouteCheck, explain
from voicegw.dialplan.load import load_dialplan, parse_dialplan
from voicegw.dialplan.match import Dialplan, Reject, RouteDecision, ToAgent, ToRecorder
from voicegw.dialplan.yaml_lines import ConfigProblems

__all__ = [
    "ConfigProblems",
    "Dialplan",
    "Explanation",
    "Reject",
    "RouteCheck",
    "RouteDecision",
    "RouteRequest",
    "ToAgent",
    "ToRecorder",
    "explain",
    "load_dialplan",
    "parse_dialplan",
]
