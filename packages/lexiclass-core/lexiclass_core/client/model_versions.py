"""Model versions, as the client shows and changes them: ``client.models``."""

from collections.abc import Sequence

from lexiclass_core import versions
from lexiclass_core.client.blocking import Blocking, blocking
from lexiclass_core.client.texts import WithTexts
from lexiclass_core.client.version_snapshots import ModelVersion, Serving, VersionEvent
from lexiclass_core.gates import FieldConfig, Judgement
from lexiclass_core.keys import Keys
from lexiclass_core.layout import REPORT_JSON
from lexiclass_core.models import ServingRule
from lexiclass_core.versions import (
    Author,
    Change,
    ConfigChange,
    GatedChange,
    ReportFile,
    RuleChange,
)


class AsyncModels(WithTexts):
    """Looks at the versions of fields, and changes which one serves.

    Every method raises VersionNotFound if the field or the version does not exist, and
    DatabaseUnavailable if PostgreSQL cannot be reached. Those that change something take ``by`` and
    ``reason``, who and why, for the history.
    """

    async def list(self, field_id: int) -> Sequence[ModelVersion]:
        """Every version of a field, newest first."""
        async with self._transaction() as session:
            found = await versions.list_versions(session, field_id)
            rule = await versions.serving_rule(session, field_id)
        serving = versions.serving(found, rule)
        return [ModelVersion.of(model, is_serving=model is serving) for model in found]

    async def history(
        self, field_id: int, *, version: int | None = None, limit: int = 50
    ) -> Sequence[VersionEvent]:
        """What was done with a field's versions, or with one of them, latest first."""
        async with self._transaction() as session:
            events = await versions.history(session, field_id, version=version, limit=limit)
        return [VersionEvent.of(event) for event in events]

    async def serving(self, field_id: int) -> Serving:
        """Which version of a field serves, by which rule, and whether it is worse than before."""
        async with self._transaction() as session:
            found = await versions.list_versions(session, field_id)
            rule = await versions.serving_rule(session, field_id)
        serving = versions.serving(found, rule)
        return Serving(
            rule=rule,
            version=None if serving is None else serving.version,
            regression=versions.find_regression(found, rule),
        )

    async def serve(
        self, field_id: int, rule: ServingRule, *, by: str, reason: str = "", force: bool = False
    ) -> RuleChange:
        """Say what serves while no version is promoted: the newest that is ready, or none.

        See :func:`lexiclass_core.versions.set_serving_rule`.

        Raises:
            ChangeRefused: If it needs ``force``.
        """
        async with self._transaction() as session:
            author = Author(by, reason)
            return await versions.set_serving_rule(session, field_id, rule, author, force=force)

    async def promote(self, field_id: int, version: int, *, by: str, reason: str = "") -> Change:
        """Let a version serve; see :func:`lexiclass_core.versions.promote`.

        Its files are not looked at: they were verified before it became ready, and are again
        when it is loaded.

        Raises:
            ChangeRefused: If it is not ready, or retired.
        """
        async with self._transaction() as session:
            return await versions.promote(session, field_id, version, Author(by, reason))

    async def gates(self, field_id: int) -> FieldConfig:
        """What a version of a field must show before it is promoted.

        Raises:
            ChangeRefused: If the field's row holds what is not understood.
        """
        async with self._transaction() as session:
            return await versions.field_config(session, field_id)

    async def set_gates(
        self, field_id: int, config: FieldConfig, *, by: str, reason: str = ""
    ) -> ConfigChange:
        """Say what it must show; see :func:`lexiclass_core.versions.set_field_config`."""
        async with self._transaction() as session:
            return await versions.set_field_config(session, field_id, config, Author(by, reason))

    async def judge(self, field_id: int, version: int) -> Judgement:
        """What the gates say of a version, by what its latest evaluation measured.

        Raises:
            ChangeRefused: If the field has no gates, or they are not understood.
        """
        async with self._transaction() as session:
            return await versions.judge_version(session, field_id, version)

    async def promote_through_gates(
        self, field_id: int, version: int, *, by: str, reason: str = "", override: bool = False
    ) -> GatedChange:
        """Let a version serve if its field's gates let it through.

        See :func:`lexiclass_core.versions.promote_through_gates`. That they do not is no error: the
        ``change`` that comes back is None then.

        Raises:
            ChangeRefused: If it is not ready, or retired; if the field has no gates, or they are
                not understood.
            ValueError: If gates are to be overridden without a reason.
        """
        async with self._transaction() as session:
            author = Author(by, reason)
            return await versions.promote_through_gates(
                session, field_id, version, author, override=override
            )

    async def roll_back(self, field_id: int, *, by: str, reason: str = "") -> Change:
        """Undo the latest promotion; see :func:`lexiclass_core.versions.roll_back`.

        Raises:
            ChangeRefused: If no version is promoted, or none but this one could serve.
        """
        async with self._transaction() as session:
            return await versions.roll_back(session, field_id, Author(by, reason))

    async def retire(
        self, field_id: int, version: int, *, by: str, reason: str = "", force: bool = False
    ) -> Change:
        """Take a version out of use; see :func:`lexiclass_core.versions.retire`.

        Raises:
            ChangeRefused: If it is not ready, or needs ``force``.
        """
        async with self._transaction() as session:
            author = Author(by, reason)
            return await versions.retire(session, field_id, version, author, force=force)

    async def reinstate(self, field_id: int, version: int, *, by: str, reason: str = "") -> Change:
        """Bring a retired version back; see :func:`lexiclass_core.versions.reinstate`.

        Raises:
            ChangeRefused: If it is not ready, or pruned.
        """
        async with self._transaction() as session:
            return await versions.reinstate(session, field_id, version, Author(by, reason))

    async def report(
        self,
        field_id: int,
        version: int,
        *,
        name: str = REPORT_JSON,
        test_set: str | None = None,
        keys: str | None = None,
    ) -> ReportFile:
        """A file of the report of a version's evaluation, as it was written.

        Args:
            field_id: The field.
            version: The version.
            name: ``report.json``, ``report.html``, the same as a page for a browser, or
                ``predictions.jsonl``.
            test_set: Digest of what it was evaluated on; None for the latest evaluation.
            keys: The workers' STORAGE__SIGNING_KEYS, if they have any.

        Raises:
            ReportNotFound: If none is kept.
            ReportCorrupt: If its files are gone, changed, another version's, or not signed.
            StorageNotGiven: If the client was made without ``storage``.
            OSError: If the storage fails.
        """
        return await versions.read_report(
            self._transaction,
            self._texts,
            field_id,
            version,
            name,
            test_set=test_set,
            keys=Keys.parse(keys),
        )


class Models(Blocking[AsyncModels]):
    """:class:`AsyncModels` for code without an event loop."""

    list = blocking(AsyncModels.list)
    history = blocking(AsyncModels.history)
    serving = blocking(AsyncModels.serving)
    serve = blocking(AsyncModels.serve)
    promote = blocking(AsyncModels.promote)
    gates = blocking(AsyncModels.gates)
    set_gates = blocking(AsyncModels.set_gates)
    judge = blocking(AsyncModels.judge)
    promote_through_gates = blocking(AsyncModels.promote_through_gates)
    roll_back = blocking(AsyncModels.roll_back)
    retire = blocking(AsyncModels.retire)
    reinstate = blocking(AsyncModels.reinstate)
    report = blocking(AsyncModels.report)
