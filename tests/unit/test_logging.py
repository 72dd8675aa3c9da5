"""Log lines: what they carry, where they go, and what never gets into one."""

import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.brokers.redis import RedisBroker
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from lexiclass_worker.config import Settings
from lexiclass_worker.middleware.log_context import LogContext
from lexiclass_worker.redaction import Redactor
from lexiclass_worker.telemetry.logs import configure_logging

PASSWORD = 'hun"ter/2é&'
QUOTED = "hun%22ter%2F2%C3%A9%26"


def settings(**changes: Any) -> Settings:
    return Settings(
        database_uri=f"postgresql+asyncpg://lexi:{QUOTED}@db.example/lexi",
        dramatiq={"broker_url": "redis://:broker-pass@redis.example/0"},
        **changes,
    )


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure_logging(settings(), stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error: Exception) -> None:
    raise error


def message(**changes: Any) -> MessageProxy:
    fields: dict[str, Any] = {
        "queue_name": "training",
        "actor_name": "train_field_model",
        "args": (),
        "kwargs": {"project_id": 7, "field_id": 8, "document_ids": [1, 2]},
        "options": {},
        "message_id": "m-1",
    }
    return MessageProxy(Message(**fields | changes))


@pytest.fixture
def context() -> tuple[RedisBroker, LogContext]:
    # The hooks do not use the broker; this one is real and connects to nothing.
    return RedisBroker(middleware=[]), LogContext(settings())


class TestLines:
    def test_a_line_is_one_json_object_with_time_level_logger_and_message_first(
        self, stream: io.StringIO
    ) -> None:
        logger.bind(documents=3, project_id=5).info("indexed\nall of them")

        (line,) = lines(stream)
        assert list(line)[:4] == ["time", "level", "logger", "message"]
        assert line["time"].endswith("+00:00")
        assert (line["level"], line["message"]) == ("INFO", "indexed\nall of them")
        assert line["logger"].endswith("test_logging")
        assert (line["project_id"], line["documents"]) == (5, 3)

    def test_an_extra_field_cannot_forge_a_field_of_ours(self, stream: io.StringIO) -> None:
        logger.bind(level="CRITICAL", time="never").info("quiet")

        (line,) = lines(stream)
        assert (line["level"], line["time"] == "never") == ("INFO", False)

    def test_lines_below_the_level_are_left_out(self) -> None:
        stream = io.StringIO()
        configure_logging(settings(log_level="WARNING"), stream=stream)

        logger.info("no")
        logging.getLogger("library").info("no")
        logging.getLogger("library").error("yes")

        assert [line["message"] for line in lines(stream)] == ["yes"]

    def test_an_exception_has_type_message_and_traceback(self, stream: io.StringIO) -> None:
        try:
            raise json.JSONDecodeError("expected a value", "{", 1)
        except ValueError:
            logger.exception("broken")

        exception = lines(stream)[0]["exception"]
        assert exception["type"] == "json.decoder.JSONDecodeError"
        assert exception["message"] == "expected a value: line 1 column 2 (char 1)"
        assert "test_logging.py" in exception["traceback"]

    def test_text_lines_show_context_and_traceback(self) -> None:
        stream = io.StringIO()
        configure_logging(settings(log_format="text"), stream=stream)

        try:
            fail(KeyError("spam"))
        except KeyError:
            logger.bind(project_id=5).exception("broken")

        first, *rest = stream.getvalue().splitlines()
        assert first.endswith("| broken | project_id=5")
        assert rest[0].startswith("    Traceback")
        assert rest[-1] == "    KeyError: 'spam'"

    @given(text=st.text(), break_=st.sampled_from(["\n", "\r", "\r\n", "\v", "\x85", "\u2028"]))
    def test_no_text_makes_a_line_that_looks_like_another_record(
        self, text: str, break_: str
    ) -> None:
        stream = io.StringIO()
        configure_logging(settings(log_format="text"), stream=stream)
        forged = f"{text}{break_}2026-01-01T00:00:00.000+00:00 INFO     x | forged\x1b[2J"

        try:
            fail(ValueError(forged))
        except ValueError:
            logger.bind(field=forged).exception("{}", forged)

        first, *rest = stream.getvalue().splitlines()
        assert first.split()[1] == "ERROR"
        assert all(line.startswith("    ") for line in rest)
        assert "\x1b" not in stream.getvalue()

    def test_a_number_that_cannot_be_written_costs_no_line(self, stream: io.StringIO) -> None:
        logger.bind(number=10**5_000).info("large")

        assert lines(stream)[0]["number"] == "<int that cannot be shown: ValueError>"

    def test_values_json_does_not_know_are_shown_as_text(self, stream: io.StringIO) -> None:
        class Unshowable:
            def __str__(self) -> str:
                raise RuntimeError("no")

        cycle: list[Any] = []
        cycle.append(cycle)

        logger.bind(a={1: float("nan")}, b=Unshowable(), c=cycle, d={2}).info("odd")

        line = lines(stream)[0]
        assert (line["a"], line["d"]) == ({"1": "nan"}, "{2}")
        assert line["b"] == "<Unshowable that cannot be shown: RuntimeError>"

    def test_a_long_text_keeps_its_beginning_and_its_end(self, stream: io.StringIO) -> None:
        logger.info("{}", "begin" + "x" * 1_000_000 + "end")

        text = lines(stream)[0]["message"]
        assert text.startswith("begin")
        assert text.endswith("end")
        assert len(text) < 20_000

    @given(text=st.text(), key=st.text(), value=st.text() | st.floats() | st.integers())
    def test_whatever_is_logged_is_one_line_of_json(self, text: str, key: str, value: Any) -> None:
        stream = io.StringIO()
        configure_logging(settings(), stream=stream)

        logger.bind(extra={key: value}).info("{}", text)

        (line,) = stream.getvalue().splitlines()
        json.loads(line)


class TestStandardLogging:
    def test_its_records_keep_logger_name_level_extra_and_exception(
        self, stream: io.StringIO
    ) -> None:
        try:
            fail(OSError("disk"))
        except OSError:
            logging.getLogger("dramatiq.worker").exception(
                "failed %s", "twice", extra={"attempts": 2}
            )

        (line,) = lines(stream)
        assert (line["logger"], line["level"]) == ("dramatiq.worker", "ERROR")
        assert (line["message"], line["attempts"]) == ("failed twice", 2)
        assert line["exception"]["type"] == "OSError"

    def test_a_handler_that_was_there_before_does_not_double_the_lines(self) -> None:
        stream = io.StringIO()
        logging.basicConfig(stream=stream, level=logging.INFO, force=True)

        configure_logging(settings(), stream=stream)
        logging.getLogger("dramatiq").info("once")

        assert [line["message"] for line in lines(stream)] == ["once"]

    def test_configuring_twice_logs_once(self, stream: io.StringIO) -> None:
        configure_logging(settings(), stream=stream)

        logger.info("loguru")
        logging.getLogger("library").info("standard")

        assert [line["message"] for line in lines(stream)] == ["loguru", "standard"]

    def test_arguments_that_do_not_fit_the_format_cost_no_line(self, stream: io.StringIO) -> None:
        # Again, in the test: pytest's own handler, put in after the fixtures, would raise.
        configure_logging(settings(), stream=stream)
        logging.getLogger("library").warning("%d things", "many")

        assert lines(stream)[0]["message"] == "'%d things' with ('many',)"

    def test_a_level_of_its_own_is_kept(self, stream: io.StringIO) -> None:
        logging.getLogger("library").log(35, "between")

        assert lines(stream)[0]["level"] == "Level 35"

    def test_warnings_are_logged(self, stream: io.StringIO) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            configure_logging(settings(), stream=stream)
            warnings.warn("old", DeprecationWarning, stacklevel=1)

        assert lines(stream)[0]["logger"] == "py.warnings"
        assert lines(stream)[0]["message"].startswith("DeprecationWarning: old")

    def test_an_uncaught_exception_of_a_thread_is_logged_without_secrets(
        self, stream: io.StringIO
    ) -> None:
        def fail() -> None:
            raise RuntimeError(f"cannot log in with {PASSWORD}")

        thread = threading.Thread(target=fail, name="poller")
        thread.start()
        thread.join()

        line = lines(stream)[0]
        assert line["message"] == "uncaught exception in thread poller"
        assert line["exception"]["message"] == "cannot log in with ***"

    def test_an_uncaught_exception_of_the_process_is_logged_without_secrets(self) -> None:
        program = (
            "from lexiclass_worker.config import Settings\n"
            "from lexiclass_worker.telemetry.logs import configure_logging\n"
            "configure_logging(Settings(dramatiq={'broker_url': 'redis://:broker-pass@x/0'}))\n"
            "raise RuntimeError('cannot log in with ' + 'broker-' + 'pass')"
        )
        process = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )

        assert process.returncode == 1
        assert json.loads(process.stderr)["exception"]["message"] == "cannot log in with ***"


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            PASSWORD,
            QUOTED,  # as the URL has it
            repr({"x": PASSWORD}),
            json.dumps({"x": PASSWORD}),  # once escaped
            f"postgresql://lexi:{QUOTED}@db.example/lexi",
            "redis://:broker-pass@redis.example/0",
        ],
    )
    @pytest.mark.parametrize("log_format", ["json", "text"])
    def test_the_settings_secrets_never_appear(self, text: str, log_format: str) -> None:
        stream = io.StringIO()
        configure_logging(settings(log_format=log_format), stream=stream)
        try:
            try:
                fail(ValueError(f"inner {text}"))
            except ValueError as error:
                raise RuntimeError(f"outer {text}") from error
        except RuntimeError:
            logger.bind(extra=text, nested={"deep": [text], text: 1}).exception("{}", text)
        logging.getLogger("library").error("standard %s", text)

        output = stream.getvalue()
        assert "***" in output
        for secret in (PASSWORD, QUOTED, "broker-pass", "hun\\", "ter/2", "ter%2F2"):
            assert secret not in output

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("amqp://guest:guest@host/x", "amqp://guest:***@host/x"),
            ("s3+https://key:s3cr3t@host", "s3+https://key:***@host"),
            ("redis://:p@w@host:1", "redis://:***@host:1"),
            ("password=abc next", "password=*** next"),
            ("{'api_key': 'a b', 'x': 1}", "{'api_key': ***, 'x': 1}"),
            ('{"AWS_SECRET_ACCESS_KEY": "abc"}', '{"AWS_SECRET_ACCESS_KEY": ***}'),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            ("http://host:80/path?x=1", "http://host:80/path?x=1"),  # a port is no password
            ("http://host:80/a@b", "http://host:80/a@b"),
            ("num_tokens=500 tokenizer=icu", "num_tokens=500 tokenizer=icu"),  # ML, no secrets
        ],
    )
    def test_credentials_nobody_told_us_of_are_found(self, text: str, shown: str) -> None:
        assert Redactor(())(text) == shown

    def test_a_field_named_for_a_secret_is_masked(self, stream: io.StringIO) -> None:
        logger.bind(api_token=12345, options={"password": "abc"}).info("x")

        line = lines(stream)[0]
        assert (line["api_token"], line["options"]) == ("***", {"password": "***"})

    def test_a_very_short_secret_does_not_blank_out_words(self) -> None:
        assert Redactor({"a"})("a banana, redis://x:a@host") == "a banana, redis://x:***@host"

    # What took quadratic time would take hours.
    @pytest.mark.slow_variants
    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("piece", ["a", "password", "a://", "'", "a=", "{'password': "])
    def test_a_long_text_is_read_once(self, piece: str) -> None:
        text = piece * (1_000_000 // len(piece))
        assert len(Redactor({"some secret"})(text)) >= len(text) // 100


class _FullDisk(io.StringIO):
    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_stream_that_cannot_be_written_costs_lines_and_says_so_later() -> None:
    stream = _FullDisk()
    configure_logging(settings(), stream=stream)

    logger.info("lost")
    logging.getLogger("library").info("lost")
    stream.full = False
    logger.info("written")

    assert [line["message"] for line in lines(stream)] == [
        "written",
        "2 log lines were lost: their stream could not be written",
    ]


def test_each_line_is_one_write() -> None:
    writes: list[str] = []

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    configure_logging(settings(), stream=Pipe())
    try:
        fail(ValueError("x"))
    except ValueError:
        logger.exception("with a traceback")

    assert len(writes) == 1
    assert writes[0].endswith("\n")


class TestLogContext:
    def test_a_worker_tells_at_its_start_of_variables_that_may_be_settings_misspelt(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("LEXICLASS_RANDOM", "hunter2")

        LogContext(settings()).after_process_boot(RedisBroker(middleware=[]))

        told = capsys.readouterr().err
        assert "LEXICLASS_RANDOM (did you mean LEXICLASS_RANDOM_SEED?)" in told
        assert "hunter2" not in told

    def test_lines_of_a_task_carry_its_ids_in_order_and_others_do_not(
        self, context: tuple[RedisBroker, LogContext], stream: io.StringIO
    ) -> None:
        broker, hooks = context
        started = message(options={"retries": 2, "correlation_id": "c-9"})

        hooks.before_process_message(broker, started)
        logging.getLogger("library").info("inside")
        hooks.after_process_message(broker, started)
        logger.info("outside")

        inside, outside = lines(stream)
        assert list(inside.items())[4:10] == [
            ("message_id", "m-1"),
            ("actor", "train_field_model"),
            ("queue", "training"),
            ("project_id", 7),
            ("field_id", 8),
            ("correlation_id", "c-9"),
        ]
        assert "document_ids" not in inside
        assert "message_id" not in outside

    def test_a_skip_unbinds_and_a_missing_start_is_fine(
        self, context: tuple[RedisBroker, LogContext], stream: io.StringIO
    ) -> None:
        broker, hooks = context

        hooks.after_skip_message(broker, message())
        hooks.before_process_message(broker, message())
        hooks.after_skip_message(broker, message())
        logger.info("outside")
        hooks.after_process_message(broker, message())

        assert "message_id" not in lines(stream)[0]

    def test_a_start_without_an_end_does_not_leak_into_the_next_message(
        self, context: tuple[RedisBroker, LogContext], stream: io.StringIO
    ) -> None:
        broker, hooks = context

        hooks.before_process_message(broker, message(message_id="m-1"))
        hooks.before_process_message(broker, message(message_id="m-2", kwargs={}))
        logger.info("second")
        hooks.after_process_message(broker, message(message_id="m-2"))
        logger.info("outside")

        second, outside = lines(stream)
        assert second["message_id"] == second["correlation_id"] == "m-2"
        assert "project_id" not in second
        assert "message_id" not in outside

    @pytest.mark.parametrize("value", ["7", True, None, [7], 7.0])
    def test_only_whole_numbers_are_ids(
        self, context: tuple[RedisBroker, LogContext], stream: io.StringIO, value: object
    ) -> None:
        broker, hooks = context
        odd = message(kwargs={"project_id": value}, options={"retries": "many"})

        hooks.before_process_message(broker, odd)
        logger.info("inside")
        hooks.after_process_message(broker, odd)

        assert "project_id" not in lines(stream)[0]

    def test_threads_do_not_see_each_others_ids(
        self, context: tuple[RedisBroker, LogContext], stream: io.StringIO
    ) -> None:
        broker, hooks = context
        together = threading.Barrier(4)

        def work(number: int) -> None:
            mine = message(message_id=f"m-{number}")
            for _ in range(20):
                hooks.before_process_message(broker, mine)
                together.wait()
                logger.info("{}", number)
                hooks.after_process_message(broker, mine)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        logged = lines(stream)
        assert len(logged) == 80
        assert all(line["message_id"] == f"m-{line['message']}" for line in logged)
