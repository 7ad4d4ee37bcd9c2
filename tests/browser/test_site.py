"""The built site in a browser, served below a path: read, switched, searched, copied from, printed."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from helpers.authoring.snippet import snippets
from helpers.i18n import LANGUAGES, _
from tests.needs import needs_site

needs_site()

from helpers.authoring.site import building, finish  # noqa: E402
from tests.browser import built  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

LOCALES = {"en": "en", "zh": "zh-CN", "fr": "fr"}
KINDS = (
    *("index.html", "stream.html", "chains.html", "search.html", "old-lines.html"),
    *("error-messages.html", "snippets/index.html", "snippets/stream.html"),
)
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1400, "height": 900}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of the site, which this run's first test of it has built."""
    with built.served() as url:
        yield url


@pytest.fixture
def tab(context: BrowserContext, address: str) -> Iterator[Page]:
    """A page of the shared browser; it must ask no other host for anything, nor complain, nor keep cookies."""
    before = context.cookies(address)  # JupyterLab's: cookies know hosts, but no ports
    page = context.new_page()
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert said == []
    assert context.cookies(address) == before


def opened(tab: Page, url: str) -> None:
    """Open a page and wait until its scripts are done."""
    tab.goto(url)
    tab.wait_for_selector("body[data-ready]")


def search(tab: Page, address: str, lang: str, asked: str) -> tuple[list[str], list[str]]:
    """Ask the search page in `lang`; return what is explained, as links, and the titles that are found."""
    tab.goto(f"{address}{lang}/search.html")
    tab.locator(".search input").fill(asked)
    tab.wait_for_selector(f"body[data-asked={json.dumps(asked, ensure_ascii=False)}]")
    links = tab.locator("#known a")
    titles = tab.locator("#results > li > a:first-child").all_inner_texts()
    return [str(link.get_attribute("href")) for link in links.all()], titles


def top_of(tab: Page, selector: str) -> float:
    """Return how far below the upper edge of the window something is, in pixels."""
    return float(tab.locator(selector).evaluate("node => node.getBoundingClientRect().top"))


def test_the_switch_stays_at_the_paragraph(tab: Page, address: str) -> None:
    opened(tab, f"{address}zh/stream.html#early")
    tab.locator(".languages a[data-lang=fr]").click()
    tab.wait_for_url("**/fr/stream.html#early*")
    assert -20 < top_of(tab, "#early") < 120
    assert tab.locator("html").get_attribute("lang") == "fr"
    # A second paragraph of a cell, which has no id of its own.
    second = ".anchor#time-result ~ p >> nth=1"
    tab.locator(second).evaluate("node => { node.scrollIntoView(); scrollBy(0, -20) }")
    tab.locator(".languages a[data-lang=en]").click()
    tab.wait_for_url("**/en/stream.html#time-result:*")
    tab.wait_for_selector("body[data-ready]")
    assert -20 < top_of(tab, second) < 120


def test_two_languages_stand_side_by_side(tab: Page, address: str) -> None:
    opened(tab, f"{address}en/stream.html")
    tab.set_viewport_size({"width": 1600, "height": 1000})
    tab.locator(".beside select").select_option("zh")
    tab.wait_for_selector("body.two-languages[data-ready]")
    row = tab.locator(".pair:has(#early)")
    left, right = row.locator("> div").all()
    assert right.get_attribute("lang") == "zh-CN" and "中途停下" in right.inner_text()
    boxes = left.bounding_box(), right.bounding_box()
    assert boxes[0] and boxes[1] and boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    twice = "ids => new Set(ids).size === ids.length"
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
    assert tab.evaluate(twice, ids)


@pytest.mark.parametrize(
    ("lang", "asked", "title"),
    [
        ("zh", "流式输出", "流式输出"),
        ("zh", "回调", ""),
        ("fr", "rappel", ""),
        ("en", "retry", "with-retry"),
        ("en", "BaseChatModel", ""),
        ("fr", "OpenAIRateLimitError", ""),
    ],
)
def test_the_search_finds_titles_first(
    tab: Page, address: str, lang: str, asked: str, title: str
) -> None:
    _rows, titles = search(tab, address, lang, asked)
    assert titles
    assert not title or titles[0] == title
    assert not any(re.search(r"[\u3400-\u9fff] [\u3400-\u9fff]", one) for one in titles)


def test_what_is_pasted_into_the_search_is_explained(tab: Page, address: str) -> None:
    known, _found = search(tab, address, "en", "from langchain.schema import HumanMessage")
    assert "old-lines.html#line-" in known[0]
    pasted = 'Traceback (most recent call last):\n  File "a.py", line 3\n'
    pasted += "TypeError: 'async_generator' object is not iterable"
    known, _found = search(tab, address, "zh", pasted.replace("\n", " "))
    assert "/zh/watching-a-run.html#" in known[0]
    tab.locator("#known a >> nth=0").click()
    tab.wait_for_selector("body[data-ready]")
    said = _("There is no command {name}. To see the commands, type:\n\n    {command}", "fr")
    said = said.format(name="lb", command="py -m helpers --help").replace("\n", " ")
    known, _found = search(tab, address, "fr", said)
    assert any("course-messages.html#message-" in one for one in known)
    known, _found = search(tab, address, "en", "something else that nobody ever said")
    assert not known


def test_copy_takes_what_runs(tab: Page, address: str, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(tab, f"{address}fr/snippets/stream.html")
    tab.locator(".cell_input").hover()
    tab.locator(".cell_input button.copybtn").click()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == (built.site() / "fr/snippets/stream.py").read_text("utf-8").strip()
    assert tab.locator(".cell_output button.copybtn").count() == 0


def test_light_and_dark(tab: Page, address: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    opened(tab, f"{address}en/chains.html")
    assert sum(tab.evaluate(ground)) > 600
    shown = "images => images.filter(image => image.naturalWidth > 100 && image.alt).length"
    assert tab.locator("img.diagram").evaluate_all(shown) == 2
    tab.emulate_media(color_scheme="dark")
    assert sum(tab.evaluate(ground)) < 150
    tab.locator(".theme-toggle-content button").click()  # from automatic, which is dark, to light
    assert sum(tab.evaluate(ground)) > 600
    tab.evaluate("localStorage.clear()")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_wider_than_a_phone(lang: str, tab: Page, address: str) -> None:
    tab.set_viewport_size(PHONE)
    for kind in KINDS:
        opened(tab, f"{address}{lang}/{kind}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], kind
        cut = "[...document.querySelectorAll('.cell_output pre')].filter(p => p.scrollWidth > p.clientWidth + 1)"
        assert tab.evaluate(f"{cut}.length") == 0, kind


def test_a_lesson_prints_whole(tab: Page, address: str) -> None:
    opened(tab, f"{address}en/stream.html")
    pdf = tab.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 650, "height": 1000})
    cut = "[...document.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth + 1).length"
    assert tab.evaluate(cut) == 0
    torn = "[...document.querySelectorAll('.cell_input')].map(n => getComputedStyle(n).breakInside)"
    assert set(tab.evaluate(torn)) == {"avoid"}
    assert not tab.locator(".skip-to-content").is_visible()
    assert (
        not tab.locator(".languages").is_visible() and not tab.locator(".fold").first.is_visible()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_barriers(kind: str, tab: Page, address: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    lang = LANGUAGES[KINDS.index(kind) % len(LANGUAGES)]
    opened(tab, f"{address}{lang}/{kind}")
    for fold in tab.locator("details").all()[:4]:
        fold.evaluate("node => node.open = true")
    found = []
    for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        tab.emulate_media(color_scheme=scheme)
        response = Axe().run(tab, None, {"resultTypes": ["violations"], **options}).response
        found += [
            f"{scheme}: {rule['id']}: {node['html'][:150]}: {node['failureSummary']}"
            for rule in response["violations"]
            for node in rule["nodes"]
        ]
    assert found == []


def test_it_can_be_used_by_keyboard(tab: Page, address: str) -> None:
    opened(tab, f"{address}en/stream.html")
    tab.keyboard.press("Tab")
    assert "Skip to content" in tab.evaluate("document.activeElement.innerText")
    tab.keyboard.press("/")
    tab.keyboard.insert_text("stream")
    tab.keyboard.press("Enter")
    tab.wait_for_selector('body[data-asked="stream"]')
    assert tab.locator("#results li").count() > 3
    tab.goto(f"{address}en/stream.html")
    summary = tab.locator("details.hint summary").first
    summary.focus()
    tab.keyboard.press("Enter")
    assert tab.locator("details.hint").first.get_attribute("open") is not None


@pytest.mark.parametrize("lang", LANGUAGES)
def test_head_and_links_elsewhere(lang: str, tab: Page, address: str) -> None:
    opened(tab, f"{address}{lang}/stream.html")
    head = tab.locator("head")
    others = head.locator("link[rel=alternate]").all()
    places = {one.get_attribute("hreflang"): one.get_attribute("href") for one in others}
    wanted = {LOCALES[x]: f"{built.URL}{x}/stream.html" for x in LANGUAGES}
    assert places == {**wanted, "x-default": wanted["en"]}
    for name in ('meta[name="description"]', 'meta[property="og:image"]', "link[rel=canonical]"):
        assert head.locator(name).count() == 1, name
    shown = tab.locator(".elsewhere a").all()
    links = [str(one.get_attribute("href")) for one in shown]
    assert (
        links[1]
        == f"https://github.com/{built.REPOSITORY}/blob/main/notebooks/{lang}/04-stream.ipynb"
    )
    notebook = tab.request.get(f"{address}{lang}/{links[0]}")
    assert notebook.ok and len(notebook.json()["cells"]) > 10


def test_what_stands_beside_the_pages(address: str) -> None:
    site = built.site()
    assert finish.ZIP in {path.name for path in site.iterdir()}
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    tree = ElementTree.parse(site / "sitemap.xml")
    found = {str(one.text) for one in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    without = {"index.html", *(f"{lang}/search.html" for lang in LANGUAGES)}
    assert found == {f"{built.URL}{page}" for page in pages - without}
    for name, one in snippets("en").items():
        assert one.code in (site / "snippets" / f"{name}.py").read_text("utf-8")
        assert f"({built.URL}en/snippets/{name}.py)" in (site / "llms.txt").read_text("utf-8")
    with zipfile.ZipFile(site / finish.ZIP) as packed:
        names = {name.partition("/")[2] for name in packed.namelist()}
    assert names == {
        path.relative_to(site).as_posix()
        for path in site.rglob("*")
        if path.is_file() and path.name != finish.ZIP
    }
    assert (site / building.MARK).is_file()


def test_built_again_it_is_the_same(address: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    site, again = built.site(), tmp_path_factory.mktemp("again")
    built.build(again)
    files = [path.relative_to(site) for path in sorted(site.rglob("*")) if path.is_file()]
    assert files == [path.relative_to(again) for path in sorted(again.rglob("*")) if path.is_file()]
    assert [f for f in files if (site / f).read_bytes() != (again / f).read_bytes()] == []
