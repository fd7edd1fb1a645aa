# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job task has to do, from what is wanted and what was seen."""

from __future__ import annotations

from ansible_collections.foster.init.plugins.module_utils.ansible.plan import Seen, SeenInstance, Step, Wanted, plan
from hypothesis import given
from hypothesis import strategies as st

UP = SeenInstance("start", "running")
STALE = SeenInstance("start", "running", stale=True)


def seen(text="exec a\n", override=None, loaded=True, redefined=False, **instances):
    named = {"" if name == "only" else name: each for name, each in instances.items()}
    return Seen(text, override, loaded, redefined, named)


def verbs(steps):
    return [step.verb if step.instance is None else f"{step.verb} {step.instance}".strip() for step in steps]


def test_a_running_job_with_its_definition_needs_nothing():
    assert plan(Wanted("started", text="exec a\n"), seen(only=UP)) == []


def test_a_new_job_is_written_loaded_and_started():
    new = seen(text=None, loaded=False)
    assert verbs(plan(Wanted("started", text="exec a\n"), new)) == ["write", "load", "start"]


def test_present_leaves_instances_alone():
    assert verbs(plan(Wanted("present", text="exec b\n"), seen(redefined=True, only=UP))) == ["write", "load"]


def test_another_definition_replaces_the_running_instance():
    steps = plan(Wanted("started", text="exec b\n"), seen(redefined=True, only=UP))
    assert verbs(steps) == ["write", "load", "stop", "start"]


def test_an_instance_that_was_left_behind_earlier_is_replaced():
    assert verbs(plan(Wanted("started"), seen(only=STALE))) == ["stop", "start"]


def test_all_instances_stop_before_any_starts_again_because_they_share_the_definition():
    wanted = Wanted("started", text="exec b\n", instance="1")
    steps = plan(wanted, seen(redefined=True, **{"1": UP, "2": UP}))
    assert verbs(steps) == ["write", "load", "stop 1", "stop 2", "start 1", "start 2"]


def test_a_reload_on_change_happens_once():
    wanted = Wanted("started", text="exec b\n", on_change="reload")
    assert verbs(plan(wanted, seen(redefined=True, only=UP))) == ["write", "load", "reload"]
    assert plan(Wanted("started", text="exec a\n", on_change="reload"), seen(only=STALE)) == []


def test_on_change_none_lets_it_run():
    wanted = Wanted("started", text="exec b\n", on_change="none")
    assert verbs(plan(wanted, seen(redefined=True, only=UP))) == ["write", "load"]


def test_restarted_starts_what_does_not_run():
    assert verbs(plan(Wanted("restarted"), seen())) == ["start"]
    assert verbs(plan(Wanted("restarted"), seen(only=UP))) == ["restart"]


def test_reloaded_never_starts():
    assert plan(Wanted("reloaded"), seen()) == []
    assert verbs(plan(Wanted("reloaded"), seen(only=UP))) == ["reload"]


def test_stopped_without_env_stops_every_instance():
    assert verbs(plan(Wanted("stopped", instance=None), seen(a=UP, b=UP))) == ["stop a", "stop b"]
    assert verbs(plan(Wanted("stopped", instance="b"), seen(a=UP, b=UP))) == ["stop b"]


def test_absent_stops_before_it_removes():
    steps = plan(Wanted("absent"), seen(override="manual\n", only=UP))
    assert verbs(steps) == ["stop", "remove", "remove-override", "load"]
    assert plan(Wanted("absent"), seen(text=None, loaded=False)) == []


def test_an_empty_override_is_no_override():
    assert plan(Wanted("present", override=""), seen()) == []
    assert verbs(plan(Wanted("present", override=""), seen(override="manual\n"))) == ["remove-override", "load"]


def _after(wanted: Wanted, before: Seen, steps: list[Step]) -> Seen:
    """Return what is there when the steps are done, with a supervisor that does as it is told."""
    text, override, instances = before.text, before.override, dict(before.instances)
    for step in steps:
        if step.verb == "write":
            text = wanted.text
        elif step.verb == "write-override":
            override = wanted.override
        elif step.verb == "remove":
            text = None
        elif step.verb == "remove-override":
            override = None
        elif step.verb == "stop":
            del instances[step.instance]
        elif step.verb == "start":
            assert step.instance not in instances, "two copies"
            instances[step.instance] = UP
    return Seen(text, override, text is not None, False, instances)


TEXTS = st.sampled_from([None, "exec a\n", "exec b\n"])


@given(
    state=st.sampled_from(["present", "absent", "started", "stopped"]),
    text=TEXTS,
    override=st.sampled_from([None, "", "manual\n"]),
    instance=st.sampled_from(["", "1", None]),
    on_change=st.sampled_from(["restart", "reload", "none"]),
    old=TEXTS,
    old_override=st.sampled_from([None, "manual\n"]),
    instances=st.dictionaries(st.sampled_from(["", "1", "2"]), st.sampled_from([UP, STALE])),
)
def test_a_second_run_has_nothing_to_do(*, state, text, override, instance, on_change, old, old_override, instances):
    wanted = Wanted(state, text, override, instance, on_change)
    before = Seen(old, old_override, old is not None, text is not None and text != old, instances)
    after = _after(wanted, before, plan(wanted, before))
    again = [step for step in plan(wanted, after) if step.verb != "load"]
    assert again == []
