"""Fields: the fields of one state, evaluated in its query language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workflow.asl import paths, queries, templates
from workflow.asl.data import Scope, to_json
from workflow.asl.failures import LanguageError, StatesRuntimeError
from workflow.asl.paths import PathNotFound


@dataclass(slots=True)
class Fields:
    """The fields of a state that is being run.

    Attributes:
        state: The state as the definition has it.
        data: Its input, before any path.
        context: The context object.
        variables: The workflow variables as they were when it was entered.
        jsonata: Whether its query language is JSONata.
        seen: What became of the data, by the names that TestState gives.
    """

    state: Mapping[str, Any]
    data: Any
    context: Mapping[str, Any]
    variables: Mapping[str, Any]
    jsonata: bool
    seen: dict[str, Any] = field(default_factory=dict)

    def build_scope(self, value: Any, **states: Any) -> Scope:  # noqa: ANN401 - any JSON value
        """Return what can be referred to: ``value`` as input, ``states`` as more of ``$states``."""
        return Scope(value, self.context, self.variables, states)

    def apply_input_path(self) -> Any:  # noqa: ANN401 - any JSON value
        """Return the input after InputPath."""
        if self.jsonata:
            return self.data
        self.seen["afterInputPath"] = self._apply_path("InputPath", self.data)
        return self.seen["afterInputPath"]

    def build_arguments(self, given: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return what Parameters or Arguments make of the input."""
        made, scope = given, self.build_scope(given)
        if self.jsonata and "Arguments" in self.state:
            made = templates.evaluate_template(self.state["Arguments"], scope, "Arguments")
        elif not self.jsonata and "Parameters" in self.state:
            made = templates.fill_template(self.state["Parameters"], scope)
        self.seen["afterArguments" if self.jsonata else "afterParameters"] = made
        return made

    def build_output(self, result: Any, *, selects: bool = True) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401
        """Return output and assigned variables of a state that has a result.

        Args:
            result: The result.
            selects: Whether ResultSelector and ResultPath apply to the type of the state.
        """
        if selects:
            self.seen["result"] = result
        if self.jsonata:
            scope = self.build_scope(self.data, result=result)
            assigned = templates.evaluate_template(self.state.get("Assign", {}), scope, "Assign")
            if "Output" in self.state:
                return templates.evaluate_template(self.state["Output"], scope, "Output"), assigned
            return result, assigned
        assigned = templates.fill_template(self.state.get("Assign", {}), self.build_scope(result))
        made = result
        if selects:
            if "ResultSelector" in self.state:
                made = templates.fill_template(
                    self.state["ResultSelector"], self.build_scope(result)
                )
            self.seen["afterResultSelector"] = made
            made = self.place_result(self.state.get("ResultPath", "$"), made)
            self.seen["afterResultPath"] = made
        return self._apply_path("OutputPath", made), assigned

    def choice_output(self, rule: Mapping[str, Any], given: Any) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401
        """Return output and assigned variables of a Choice: those of the rule that was met.

        Args:
            rule: The rule, or the state itself for its default.
            given: The input after InputPath.
        """
        if self.jsonata:
            scope = self.build_scope(self.data)
            assigned = templates.evaluate_template(rule.get("Assign", {}), scope, "Assign")
            if "Output" in rule:
                return templates.evaluate_template(rule["Output"], scope, "Output"), assigned
            return self.data, assigned
        assigned = templates.fill_template(rule.get("Assign", {}), self.build_scope(given))
        return self._apply_path("OutputPath", given), assigned

    def catch_output(self, rule: Mapping[str, Any], error: Any) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401
        """Return output and assigned variables of a state whose Catch took an error."""
        if self.jsonata:
            scope = self.build_scope(self.data, errorOutput=error)
            assigned = templates.evaluate_template(rule.get("Assign", {}), scope, "Catch/Assign")
            if "Output" in rule:
                return templates.evaluate_template(rule["Output"], scope, "Catch/Output"), assigned
            return error, assigned
        assigned = templates.fill_template(rule.get("Assign", {}), self.build_scope(error))
        return self.place_result(rule.get("ResultPath", "$"), error), assigned

    def place_result(self, where: str | None, result: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return the state's input with a result at ResultPath; null leaves the result out."""
        if where is None:
            return self.data
        try:
            return paths.assign_value(paths.parse(where), self.data, result)
        except PathNotFound as error:
            raise LanguageError(
                "States.ResultPathMatchFailure",
                f'Unable to apply step "{error}" to input {to_json(self.data)}',
            ) from None

    def read_text(self, field: str) -> str | None:
        """Return Error or Cause of a Fail state, in whichever way it is given."""
        if f"{field}Path" in self.state:
            path = self.state[f"{field}Path"]
            value = templates.value_of(
                path, self.build_scope(self.apply_input_path()), f"{field}Path"
            )
        else:
            value = self.read_value(field, "string")
        return value if value is None or isinstance(value, str) else to_json(value)

    def read_value(self, field: str, kind: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return a field; an expression in it must give the type ``kind``. None if absent."""
        given = self.state.get(field)
        text = queries.expression_of(given) if self.jsonata else None
        if text is None:
            return given
        value = queries.evaluate(text, self.build_scope(self.data), field)
        return queries.expect_type(value, kind, text, field)

    def read_number(self, field: str, given: Any, *, whole: bool = True) -> float | None:  # noqa: ANN401
        """Return a number that a field or its path gives; None where neither is there.

        Args:
            field: Such as ``MaxConcurrency``.
            given: The input after InputPath.
            whole: Whether it must be an integer.
        """
        path = self.state.get(f"{field}Path")
        if path is None:
            value: float | None = self.read_value(field, "number")
            return value
        found = templates.value_of(path, self.build_scope(given), f"{field}Path")
        if isinstance(found, bool) or not isinstance(found, int if whole else int | float):
            shown = found if isinstance(found, str) else to_json(found)
            kind = "integer" if whole else "float"
            raise StatesRuntimeError(
                f'The {field}Path field refers to value "{shown}" which is not a valid {kind}: '
                f"{path}"
            )
        return found

    def _apply_path(self, field: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return what InputPath or OutputPath makes of a value."""
        # null is an empty object here, and drops the result in ResultPath.
        path = self.state.get(field, "$")
        if path is None:
            return {}
        try:
            return paths.evaluate(paths.parse(path), self.build_scope(value))
        except PathNotFound as error:
            raise StatesRuntimeError(f"Invalid path '{path}' : {error}") from None
