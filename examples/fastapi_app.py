"""A small API over the task client: submit, status, progress as server-sent events, reports.

It needs ``lexiclass-core`` and no more of LexiClass: no machine learning, no worker. Who may ask
for what is for your own middleware to say. The console at ``/ops/lexiclass`` asks people itself who
they are: ``lexiclass-worker console link --address http://127.0.0.1:8000/ops/lexiclass`` prints a
link that lets in once.

    pip install 'packages/lexiclass-core[client]' packages/lexiclass-console 'fastapi>=0.135'
    uvicorn --app-dir examples --factory fastapi_app:create_app
"""

import os
import string
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any, Literal, TypedDict, cast
from urllib.parse import quote

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.ext.asyncio import AsyncEngine

from lexiclass_console import create_console
from lexiclass_core import schemas
from lexiclass_core.client import (
    AsyncTaskClient,
    DatabaseUnavailable,
    IdempotencyConflict,
    InvalidTask,
    TaskFinished,
    TaskNotFound,
    TaskPage,
    TaskSnapshot,
)
from lexiclass_core.db import create_engine
from lexiclass_core.documents import SuspectLabel
from lexiclass_core.models import TaskStatus
from lexiclass_core.numbers import number_of
from lexiclass_core.references import UnresolvedName
from lexiclass_core.storable import storable
from lexiclass_core.versions import ReportCorrupt, ReportNotFound, VersionNotFound

STATUS_CODES: dict[type[Exception], int] = {
    UnresolvedName: 404,
    TaskNotFound: 404,
    IdempotencyConflict: 409,
    TaskFinished: 409,
    InvalidTask: 422,
    DatabaseUnavailable: 503,
    VersionNotFound: 404,
    ReportNotFound: 404,
    ReportCorrupt: 502,
}

# A report quotes names of classes and documents, which anybody may have chosen: nothing in it runs,
# loads anything, or is taken for something else, whatever the page says itself.
REPORT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
REPORTS = {"report.json": "application/json", "report.html": "text/html; charset=utf-8"}


def create_app() -> FastAPI:
    """The application, on the servers that the workers' own variables name."""
    app = FastAPI(title="LexiClass", lifespan=_lifespan)
    for error, code in STATUS_CODES.items():
        app.add_exception_handler(error, _answer(code))
    app.add_exception_handler(RequestValidationError, _name_problems)
    app.post("/index", status_code=202)(index)
    app.post("/train", status_code=202)(train)
    app.post("/predict", status_code=202)(predict)
    app.post("/evaluate", status_code=202)(evaluate)
    app.get("/projects/{project_id}/fields/{field}/suspects")(list_suspects)
    app.get("/tasks")(list_tasks)
    app.get("/tasks/{task_id}")(get_task)
    app.get("/tasks/{task_id}/events", response_class=EventSourceResponse)(stream_events)
    app.get("/fields/{field_id}/versions/{version}/{name}")(get_report)
    app.post("/tasks/{task_id}/cancel", status_code=202)(cancel_task)
    app.post("/tasks/{task_id}/retry", status_code=202)(retry_task)
    return app


class Servers(TypedDict):
    """Arguments of clients and consoles."""

    engine: AsyncEngine
    broker_url: str
    namespace: str
    signing_keys: str | None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    # One pool of connections for both, and for whatever else the API asks of its database.
    engine = create_engine(os.environ["DATABASE_URI"], application_name="lexiclass-api")
    servers: Servers = {
        "engine": engine,
        "broker_url": os.environ.get("DRAMATIQ__BROKER_URL", "redis://localhost:6379/0"),
        "namespace": os.environ.get("DRAMATIQ__NAMESPACE", "dramatiq"),
        "signing_keys": os.environ.get("DRAMATIQ__SIGNING_KEYS"),
    }
    storage = os.environ.get("STORAGE__BASE_PATH", "./data")
    storage_keys = os.environ.get("STORAGE__SIGNING_KEYS")
    console = create_console(**servers, storage=storage, storage_keys=storage_keys)
    app.mount("/ops/lexiclass", console)
    try:
        async with (
            console.router.lifespan_context(console),
            AsyncTaskClient(**servers, storage=storage) as client,
        ):
            yield {"client": client}
    finally:
        await engine.dispose()


def _answer(code: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        del request
        return JSONResponse({"detail": str(error)}, code)

    return answer


async def _name_problems(request: Request, error: Exception) -> Response:
    """What is wrong with a request, without what it holds: that may be nothing that JSON has."""
    del request
    found = cast("RequestValidationError", error).errors()
    problems = [{name: each[name] for name in ("loc", "msg", "type")} for each in found]
    return JSONResponse({"detail": storable(problems)}, 422)


async def _client(request: Request) -> AsyncTaskClient:
    client: AsyncTaskClient = request.state.client
    return client


async def _task_id(task_id: str) -> int | str:
    """The number of a task, or the id of its message."""
    number = number_of(task_id)
    return task_id if number is None else number


Client = Annotated[AsyncTaskClient, Depends(_client)]
TaskId = Annotated[int | str, Depends(_task_id)]


class Submit:
    """Submits what the body of a request asks for, as its headers say.

    ``Idempotency-Key``: the same key gives the same task, so a double click trains once.
    ``X-Correlation-ID``: is in every log line of the task; one is made if none is given.
    ``?delay_s=``: seconds to wait before it may run.
    """

    def __init__(
        self,
        client: Client,
        response: Response,
        idempotency_key: Annotated[str | None, Header()] = None,
        x_correlation_id: Annotated[str | None, Header()] = None,
        delay_s: Annotated[float | None, Query(ge=0)] = None,
    ) -> None:
        self._client = client
        self._response = response
        self._idempotency_key = idempotency_key
        self._correlation_id = x_correlation_id
        self._delay_s = delay_s

    async def __call__(self, request: schemas.Request) -> TaskSnapshot:
        """The task, which waits now, or is the one of the first click."""
        task = await self._client.submit(
            request,
            idempotency_key=self._idempotency_key,
            correlation_id=self._correlation_id,
            delay_s=self._delay_s,
        )
        self._response.headers["Location"] = f"/tasks/{task.id}"
        # A header holds no more than ASCII, whatever a task of before was submitted with.
        told = quote(task.correlation_id or task.message_id, safe=string.punctuation)
        self._response.headers["X-Correlation-ID"] = told
        return task


Submission = Annotated[Submit, Depends()]


async def index(request: schemas.IndexDocuments, submit: Submission) -> TaskSnapshot:
    """Index a project's documents."""
    return await submit(request)


async def train(request: schemas.TrainFieldModel, submit: Submission) -> TaskSnapshot:
    """Train the next version of a field's model."""
    return await submit(request)


async def predict(request: schemas.PredictFieldDocuments, submit: Submission) -> TaskSnapshot:
    """Predict a field for some documents, or for all of a project."""
    return await submit(request)


async def evaluate(request: schemas.EvaluateFieldModel, submit: Submission) -> TaskSnapshot:
    """Measure a model on its field's test labels."""
    return await submit(request)


async def list_suspects(
    project_id: int,
    field: str,
    client: Client,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> list[SuspectLabel]:
    """Labels that look wrong, the most suspect first, with the class that fits better."""
    return await client.documents.suspects(project_id, field, limit=limit)


async def list_tasks(
    client: Client,
    project_id: int | None = None,
    status: TaskStatus | None = None,
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TaskPage:
    """A page of tasks, newest first."""
    return await client.list(project_id=project_id, status=status, before=before, limit=limit)


async def get_task(task_id: TaskId, client: Client) -> TaskSnapshot:
    """A task as it is now, with its result or its error once it has ended."""
    return await client.status(task_id)


async def get_report(
    field_id: int,
    version: int,
    name: Literal["report.json", "report.html"],
    client: Client,
) -> Response:
    """The report of a version's latest evaluation, as it was written: JSON, or a page."""
    keys = os.environ.get("STORAGE__SIGNING_KEYS")
    file = await client.models.report(field_id, version, name=name, keys=keys)
    return Response(file.content, media_type=REPORTS[name], headers=REPORT_HEADERS)


async def cancel_task(task_id: TaskId, client: Client) -> TaskSnapshot:
    """Cancel a task: one that waits never runs, one that runs is stopped within about 2 s."""
    return await client.cancel(task_id)


async def retry_task(task_id: TaskId, client: Client) -> TaskSnapshot:
    """Submit a task that failed or was cancelled once more, as a new task."""
    return await client.retry(task_id)


async def stream_events(
    task: Annotated[TaskSnapshot, Depends(get_task)], client: Client
) -> AsyncIterator[ServerSentEvent]:
    """A task's progress until it has ended; a browser's EventSource connects again by itself."""
    async with aclosing(client.watch(task.id)) as events:
        async for event in events:
            yield ServerSentEvent(data=event, event="end" if event.status.is_final else "progress")
