"""Classes are called by the names that their workflow gives them."""

from contextvars import copy_context

from dashboard.captures.record_filters import label_index, label_name, name_classes


def test_a_page_calls_classes_by_the_names_of_its_workflow() -> None:
    def page() -> tuple[str, str, int]:
        name_classes(("cat", "dog", "cow"))
        return label_name(2), label_name(3), label_index("dog")

    assert copy_context().run(page) == ("cow", "class 3", 1)
    assert label_name(1) == "motorcycle"
