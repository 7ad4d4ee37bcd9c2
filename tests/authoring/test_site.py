"""What the site is made of: pages read, folds, programs, tables, links; bad input. No Sphinx, no browser."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import i18n
from helpers.authoring import seen, snippet
from helpers.exercises.texts import all_texts
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT
from tests.needs import needs_site

needs_site()

from helpers.authoring.site import (  # noqa: E402
    building,
    content,
    finish,
    folds,
    front,
    links,
    lookup,
    serving,
    settings,
    sheet,
)
from helpers.authoring.site import course as pages  # noqa: E402
from helpers.authoring.site.course import SiteError  # noqa: E402


@pytest.fixture(scope="module")
def course() -> pages.Course:
    """The committed pages."""
    return pages.read()


@pytest.fixture(scope="module")
def wrong() -> dict[str, folds.Mistakes]:
    """The labelled mistakes of all exercises."""
    return folds.mistakes()


@pytest.fixture
def small(tmp_path: Path, course: pages.Course) -> Path:
    """A folder with two lessons in all languages, to be spoilt."""
    folder = tmp_path / "notebooks"
    for lang in LANGUAGES:
        (folder / lang).mkdir(parents=True)
        for name in course.lessons[:2]:
            shutil.copy(ROOT / "notebooks" / lang / f"{name}.ipynb", folder / lang)
    return folder


def spoilt(folder: Path, lang: str, name: str, change: Callable[[dict[str, object]], None]) -> None:
    """Change the notebook `name` in `lang` below `folder`."""
    path = folder / lang / f"{name}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_every_page_is_read(course: pages.Course) -> None:
    for page in course.pages.values():
        assert page.title and page.goal and "ipynb" not in page.goal and "#" not in page.title
        assert page.minutes is None or 5 <= page.minutes <= 120
    assert len({page.slug for page in course.in_language("en")}) == len(course.lessons)
    assert not {page.slug for page in course.in_language("en")} & {
        *building.LOOKUP,
        "index",
        "search",
    }


@pytest.mark.parametrize("lang", LANGUAGES)
def test_pages_that_are_not_right_are_named(lang: str, small: Path, course: pages.Course) -> None:
    i18n.use(lang)
    first, second = course.lessons[:2]
    (small / "fr" / f"{first}.ipynb").unlink()
    (small / "zh" / f"{first}.ipynb").write_text("{", encoding="utf-8")
    spoilt(small, "en", second, lambda notebook: notebook.clear())
    with pytest.raises(SiteError) as raised:
        pages.read(small)
    for lost in (f"fr/{first}", f"zh/{first}", f"en/{second}"):
        assert f"notebooks/{lost}.ipynb" in str(raised.value).replace("\\", "/")
    assert f"zh/{second}" not in str(raised.value)


def test_a_link_into_nothing_is_named_with_its_cell(small: Path, course: pages.Course) -> None:
    first = course.lessons[0]

    def add(notebook: dict[str, object]) -> None:
        cells = notebook["cells"]
        assert isinstance(cells, list)
        text = "[a](98-there.ipynb), `[b](97-code.ipynb)`"
        cells[1:1] = [{"id": "gone", "cell_type": "markdown", "metadata": {}, "source": text}]

    spoilt(small, "zh", first, add)
    with pytest.raises(SiteError) as raised:
        pages.read(small)
    said = [line for line in str(raised.value).splitlines() if "gone" in line]
    assert len(said) == 1 and first in said[0] and "zh" in said[0] and "98-there" in said[0]


def test_nothing_to_make_a_site_of(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="no notebook"):
        pages.read(tmp_path)


def test_only_an_empty_folder_or_a_site_is_written_to(tmp_path: Path) -> None:
    building.check_folder(tmp_path / "new" / "er")
    building.check_folder(tmp_path)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(SiteError, match="not empty"):
        building.check_folder(tmp_path)
    with pytest.raises(SiteError, match="is a file"):
        building.check_folder(tmp_path / "letter.txt")
    (tmp_path / building.MARK).touch()
    building.check_folder(tmp_path)


def test_the_address_is_made_from_the_repository() -> None:
    assert settings.address("", None) == settings.Address("", "")
    own = settings.address("Ada/parrots")
    assert own == settings.Address("Ada/parrots", "https://ada.github.io/parrots/")
    assert settings.address("", "https://a.org/b").url == "https://a.org/b/"
    with pytest.raises(SiteError, match="OWNER/NAME"):
        settings.address("https://github.com/ada/parrots")
    with pytest.raises(SiteError, match="https://"):
        settings.address("", "ada.org")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_exercise_has_hints_a_model_answer_and_mistakes(
    lang: str, course: pages.Course, wrong: dict[str, folds.Mistakes]
) -> None:
    shown = set()
    for page in course.in_language(lang):
        for cell in content.lesson(page, wrong[lang])["cells"]:
            if cell["id"].endswith("-check-help"):
                name = f"{page.name}/{cell['id'].removesuffix('-check-help')}"
                shown.add(name)
                kinds = [
                    kind
                    for kind in ("hint", "solution", "wrong")
                    if f"fold {kind}" in cell["source"]
                ]
                assert kinds == ["hint", "solution", "wrong"], name
                assert len(wrong[lang][name]) >= 2
    assert shown == set(all_texts())


def test_links_lead_to_pages() -> None:
    text = "[a](04-stream.ipynb#x) [b](../zh/05-batch.ipynb) `[c](04-stream.ipynb)`"
    assert content.linked(text) == "[a](stream.html#x) [b](../zh/batch.html) `[c](04-stream.ipynb)`"
    assert "](../stream.html#x)" in content.linked(text, "../")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_programs_are_those_of_the_command(lang: str, course: pages.Course) -> None:
    found = sheet.programs(course, lang)
    assert {one.name: one.text for one in found} == {
        name: snippet.program(own) for name, own in snippet.snippets(lang).items()
    }
    slugs = {page.slug for page in course.in_language(lang)}
    for one in found:
        assert one.task and one.when and one.lesson in slugs, one.name
        assert "langchain" in " ".join(one.packages), one.name
        assert all(name in seen.pins() for name in one.packages), one.name
    listed = sheet.index(found, lang)
    assert all(f"]({one.name}.html) ·" in listed for one in found)


def test_the_file_for_vs_code_gives_the_programs(course: pages.Course) -> None:
    found = {one.name: one for one in sheet.programs(course, "fr")}
    file = json.loads(sheet.for_vs_code(list(found.values())))
    assert file.keys() == found.keys()
    for name, entry in file.items():
        written = "\n".join(entry["body"])
        written = re.sub(r"\\([\\$}])", r"\1", written)
        assert written == found[name].cell["source"], name


@pytest.mark.parametrize("lang", LANGUAGES)
def test_old_lines_and_errors_lead_to_where_they_are_explained(
    lang: str, course: pages.Course
) -> None:
    i18n.use(lang)
    text, lines = lookup.old_lines(course, lang)
    assert len(lines) >= 25 and lines[0].text.startswith("from langchain.")
    assert text.count("\n| <span id=") == len(lines)
    _text, errors = lookup.errors(course, lang)
    cells = {page.slug: {cell["id"] for cell in page.cells} for page in course.in_language(lang)}
    for one in errors:
        slug, _sharp, cell = one.href.partition(".html#")
        assert cell in cells[slug], one
    named = " ".join(one.text for one in errors)
    printed = [
        output
        for page in course.in_language(lang)
        for cell in page.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert printed
    for output in printed:
        assert f"{output['ename']}: {' '.join(output['evalue'].split())}" in named


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_courses_own_messages_can_be_looked_up(lang: str, course: pages.Course) -> None:
    i18n.use(lang)
    text, known = lookup.messages(lang)
    assert len(known) > 150 and not any("{" in one.text.replace("{{", "") for one in known)
    assert all(one.text in text for one in known)
    assert len(lookup.exercise_messages(course, lang)) > 200


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_lesson_is_in_one_part(lang: str, course: pages.Course) -> None:
    i18n.use(lang)
    found = front.parts(course, lang)
    assert [page.name for part in found for page in part.pages] == course.lessons
    assert all(part.title for part in found)
    assert [part.title for part in found] == [
        part["title"][lang] for part in front.texts()["parts"]
    ]
    page = front.page(course, lang, building.LOOKUP)
    assert page.count('class="button"') == 1 and page.count('class="minutes"') > 5


def test_french_is_set_as_french_is() -> None:
    said = json.dumps(front.texts()["words"]["fr"], ensure_ascii=False)
    assert "'" not in said and " ;" not in said and "\u00a0:" in said


def test_links_are_followed(tmp_path: Path) -> None:
    page = '<h1 id="top">a</h1><a href="b/index.html#here"></a><a href="b/"></a><a href="#top"></a>'
    finish.write(tmp_path / "a.html", page)
    finish.write(tmp_path / "b" / "index.html", '<p id="here"></p><img src="https://x.org/p.png">')
    assert ["x.org" in one for one in links.wrong(tmp_path)] == [True]
    bad = ("c.html", "b/index.html#there", "#nowhere", "../outside.html", "https://own.org/d.html")
    finish.write(tmp_path / "c.html", "".join(f'<a href="{one}"></a>' for one in bad[1:]))
    (tmp_path / "b" / "index.html").write_text('<p id="here"></p>', encoding="utf-8")
    said = list(links.wrong(tmp_path, "https://own.org/"))
    assert len(said) == 4 and all(one in "\n".join(said) for one in bad[1:])


def test_the_site_is_built_again_when_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish.write(tmp_path / "index.html", "here")
    states = iter([{}, {tmp_path: 1}, {tmp_path: 1}, {tmp_path: 2}])
    built = []
    pauses = iter(range(3))

    def build(out: Path, address: settings.Address) -> str:
        built.append(out)
        if len(built) == 2:
            raise SiteError("a link leads nowhere")
        return f"built {len(built)}"

    def pause(seconds: float) -> None:
        if next(pauses, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(building, "build", build)
    monkeypatch.setattr(serving, "changes", lambda: next(states))
    monkeypatch.setattr(time, "sleep", pause)
    assert serving.serve(tmp_path, settings.Address("", ""), 0) == 0
    said = capsys.readouterr().out
    assert len(built) == 3 and "built 1" in said and "nowhere" in said and "built 3" in said
    assert re.search(r"http://127\.0\.0\.1:\d+/", said)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    first = serving.server(tmp_path, 0)
    with first, pytest.raises(SiteError, match=str(first.server_port)):
        serving.server(tmp_path, first.server_port)
    assert {path.suffix for path in serving.changes()} >= {
        ".ipynb",
        ".md",
        ".css",
        ".html",
        ".yaml",
    }


def test_chinese_signs_are_words_for_the_search() -> None:
    assert finish.spaced("<p>流式输出，token用量</p>") == "<p>流 式 输 出 ，token 用 量</p>"
    assert finish.spaced('<a title="流式">ab</a>') == '<a title="流式">ab</a>'
