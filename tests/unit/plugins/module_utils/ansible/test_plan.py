# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job task has to do, from what is wanted and what was seen."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.ansible.plan import Seen, SeenInstance, Step, Wanted, plan
from hypothesis import given
from hypothesis import strategies as st

UP = SeenInstance("start", "running")
STALE = SeenInstance("start", "running", stale=True)


def seen(text="exec a\n", override=None, loaded=True, redefined=False, enabled=None, **instances):
    named = {"" if name == "only" else name: each for name, each in instances.items()}
    return Seen({"text": text, "override": override}, loaded, redefined, named, enabled)


def wants(state, instance="", on_change="restart", enabled=None, **files):
    return Wanted(state, files, instance, on_change, enabled)


def verbs(steps):
    return [f"{step.verb} {step.path or step.instance or ''}".strip() for step in steps]


def test_a_running_job_with_its_definition_needs_nothing():
    assert plan(wants("started", text="exec a\n"), seen(only=UP)) == []


def test_a_new_job_is_written_loaded_and_started():
    new = seen(text=None, loaded=False)
    assert verbs(plan(wants("started", text="exec a\n"), new)) == ["write text", "load", "start"]


def test_present_leaves_instances_alone():
    assert verbs(plan(wants("present", text="exec b\n"), seen(redefined=True, only=UP))) == ["write text", "load"]


def test_another_definition_replaces_the_running_instance():
    steps = plan(wants("started", text="exec b\n"), seen(redefined=True, only=UP))
    assert verbs(steps) == ["write text", "load", "stop", "start"]


def test_an_instance_that_was_left_behind_earlier_is_replaced():
    assert verbs(plan(wants("started"), seen(only=STALE))) == ["stop", "start"]


def test_all_instances_stop_before_any_starts_again_because_they_share_the_definition():
    wanted = wants("started", text="exec b\n", instance="1")
    steps = plan(wanted, seen(redefined=True, **{"1": UP, "2": UP}))
    assert verbs(steps) == ["write text", "load", "stop 1", "stop 2", "start 1", "start 2"]


def test_a_reload_on_change_happens_once():
    wanted = wants("started", text="exec b\n", on_change="reload")
    assert verbs(plan(wanted, seen(redefined=True, only=UP))) == ["write text", "load", "reload"]
    assert plan(wants("started", text="exec a\n", on_change="reload"), seen(only=STALE)) == []


def test_on_change_none_lets_it_run():
    wanted = wants("started", text="exec b\n", on_change="none")
    assert verbs(plan(wanted, seen(redefined=True, only=UP))) == ["write text", "load"]


def test_restarted_starts_what_does_not_run():
    assert verbs(plan(wants("restarted"), seen())) == ["start"]
    assert verbs(plan(wants("restarted"), seen(only=UP))) == ["restart"]


def test_reloaded_never_starts():
    assert plan(wants("reloaded"), seen()) == []
    assert verbs(plan(wants("reloaded"), seen(only=UP))) == ["reload"]


def test_stopped_without_env_stops_every_instance():
    assert verbs(plan(wants("stopped", instance=None), seen(a=UP, b=UP))) == ["stop a", "stop b"]
    assert verbs(plan(wants("stopped", instance="b"), seen(a=UP, b=UP))) == ["stop b"]


def test_absent_stops_before_it_removes():
    steps = plan(wants("absent", text=None, override=None), seen(override="manual\n", only=UP))
    assert verbs(steps) == ["stop", "remove text", "remove override", "load"]
    assert plan(wants("absent", text=None, override=None), seen(text=None, loaded=False)) == []


def test_an_empty_override_is_no_override():
    assert plan(wants("present", override=None), seen()) == []
    assert verbs(plan(wants("present", override=None), seen(override="manual\n"))) == ["remove override", "load"]


def test_what_was_enabled_by_others_is_brought_to_what_is_wanted():
    assert verbs(plan(wants("present", enabled=True), seen(enabled=False))) == ["enable"]
    assert verbs(plan(wants("present", enabled=False), seen(enabled=True))) == ["disable"]
    assert plan(wants("present", enabled=True), seen(enabled=None)) == []


def test_absent_disables_before_it_removes():
    steps = plan(wants("absent", text=None), seen(enabled=True, only=UP))
    assert verbs(steps) == ["stop", "disable", "remove text", "load"]


def _after(wanted: Wanted, before: Seen, steps: list[Step]) -> Seen:
    """Return what is there when the steps are done, with an init that does as it is told."""
    files, instances, enabled = dict(before.files), dict(before.instances), before.enabled
    for step in steps:
        if step.path:
            assert (step.verb == "remove") == (wanted.files[step.path] is None)
            files[step.path] = wanted.files[step.path]
        elif step.verb in ("enable", "disable"):
            enabled = step.verb == "enable"
        elif step.verb == "stop":
            del instances[step.instance]
        elif step.verb == "start":
            assert step.instance not in instances, "two copies"
            instances[step.instance] = UP
    return Seen(files, files["text"] is not None, False, instances, enabled)


TEXTS = st.sampled_from([None, "exec a\n", "exec b\n"])
ENABLED = st.sampled_from([None, True, False])


@given(
    state=st.sampled_from(["present", "absent", "started", "stopped"]),
    text=TEXTS,
    override=st.sampled_from([None, "manual\n"]),
    instance=st.sampled_from(["", "1", None]),
    on_change=st.sampled_from(["restart", "reload", "none"]),
    enabled=ENABLED,
    old=TEXTS,
    old_override=st.sampled_from([None, "manual\n"]),
    old_enabled=ENABLED,
    instances=st.dictionaries(st.sampled_from(["", "1", "2"]), st.sampled_from([UP, STALE])),
)
def test_a_second_run_has_nothing_to_do(
    *, state, text, override, instance, on_change, enabled, old, old_override, old_enabled, instances
):
    files = {"text": None, "override": None} if state == "absent" else {"text": text, "override": override}
    wanted = Wanted(state, files, instance, on_change, None if state == "absent" else enabled)
    before = Seen(
        {"text": old, "override": old_override}, old is not None, text not in (None, old), instances, old_enabled
    )
    after = _after(wanted, before, plan(wanted, before))
    again = [step for step in plan(wanted, after) if step.verb != "load"]
    assert again == []
