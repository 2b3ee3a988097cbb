"""What the server has: models, a queue, examples, a gallery, and what clients have sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from eli5 import limits
from eli5.server.explaining import Explained
from eli5.server.fields import Asked
from eli5.server.gallery import Gallery, read_example
from eli5.server.jobs import Queue
from eli5.server.models import ServedModel
from eli5.server.refusal import RefusedError
from eli5.server.uploads import Kept, Upload

_AT_ONCE = 8  # bodies that are read
_MOST_PICTURES = 1024  # that are kept, however small


@dataclass
class Site:
    """See the module."""

    models: Mapping[str, ServedModel]
    queue: Queue
    examples: dict[str, Path]
    gallery: Gallery | None = None
    # How an answer is typed as a command; the command line tells.
    as_command: Callable[[Explained, Asked], str] = lambda *_: ""
    pictures: Kept = field(
        default_factory=lambda: Kept(_MOST_PICTURES, limits.SERVED_PICTURE_BYTES)
    )
    results: Kept = field(
        default_factory=lambda: Kept(limits.SERVED_RESULTS, limits.SERVED_RESULT_BYTES)
    )
    n_reading: int = 0  # bodies at this moment

    def find_models(self, names: tuple[str, ...]) -> list[ServedModel]:
        """Return models by their names, the first without any; refuse another name with 400."""
        if not all(name in self.models for name in names):
            raise RefusedError(
                400, f"Expected a model: {', '.join(self.models)}. Received: another one"
            )
        return [self.models[name] for name in dict.fromkeys(names or [next(iter(self.models))])]

    def find_picture(self, asked: Asked) -> Upload | None:
        """Return the picture that is asked about, and keep it; RefusedError if it is not there."""
        picture = asked.picture
        if picture is None and asked.digest:
            picture = self.pictures.get(asked.digest)
            if picture is None:
                raise RefusedError(404, "This picture is not here any more. Send it again.")
        if picture is None and asked.example:
            if asked.example not in self.examples:
                raise RefusedError(400, "Expected the name of an example. Received: another one")
            try:
                picture = read_example(self.examples, asked.example)
            except (OSError, ValueError):
                raise RefusedError(404, "The example cannot be read any more.") from None
        if picture is not None:
            self.pictures.put(picture.digest, picture, len(picture.content))
        return picture

    def begin_reading(self) -> None:
        """Count a body that is read; refuse it with 429 if there are many, or no place behind."""
        self.queue.check()
        if self.n_reading >= _AT_ONCE:
            raise RefusedError(
                429, "Busy: too many requests at once. Try again.", {"Retry-After": "1"}
            )
        self.n_reading += 1


def site_of(request: Request) -> Site:
    """Return the site that a request is for."""
    site: Site = request.app.state.site
    return site
