"""Failures: what goes wrong while a field of a state is evaluated, by the name of the language.

The messages are AWS's, without the sentence that names the state; the interpreter adds it.
"""


class LanguageError(Exception):
    """A field that cannot be evaluated.

    Args:
        error: The name, such as ``States.Runtime``.
        detail: What is wrong.
    """

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(detail)
        self.error = error
        self.detail = detail


class StatesRuntimeError(LanguageError):
    """``States.Runtime``: no Retry and no Catch takes it."""

    def __init__(self, detail: str) -> None:
        super().__init__("States.Runtime", detail)


class QueryError(LanguageError):
    """``States.QueryEvaluationError``: a JSONata expression fails or gives the wrong type.

    Args:
        detail: What is wrong.
        location: The field, such as ``Output/result``.
    """

    def __init__(self, detail: str, location: str) -> None:
        super().__init__("States.QueryEvaluationError", detail)
        self.location = location
