"""The report in a real browser: it draws, it fetches nothing, and hostile data stays data."""

import re
import shutil
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import ColumnKind, Engine, Outcome, Suite, Verdict
from driftline.suites import evidently, page, report
from driftline.suites.frame import Frame
from driftline.suites.outcomes import outcomes
from tests.suites.conftest import flights, rows

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), "")
in_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium or google-chrome on PATH")

LOCAL = ("file:", "data:", "blob:")

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
KINDS = {"temp": NUMERIC, "distance": NUMERIC, "carrier": CATEGORICAL, "origin": CATEGORICAL}

END_OF_SCRIPT = "</script><script>window.pwned = 1</script>"
IMAGE = "<img src=x onerror='window.pwned = 1'>"
LINK = '<a href="javascript:window.pwned=1">click</a>'
ENTITY = "&lt;img src=x onerror=window.pwned=1&gt;"


@contextmanager
def opened(html, folder):
    """Yield the page in Chromium once it is drawn, and the addresses that it asked for."""
    from playwright.sync_api import sync_playwright

    (folder / "report.html").write_text(html, encoding="utf-8")
    quiet = (
        "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
        "--disable-sync --no-first-run --disable-quic"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet.split())
        tab = browser.new_page()
        asked, errors = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto((folder / "report.html").as_uri())
        yield tab, asked, errors
        browser.close()


def scored(number, seed):
    rng = np.random.default_rng(seed)
    score = rng.random(number)
    return {"_score": score, "_label": (rng.random(number) < score).astype(int)}


@pytest.fixture(scope="module")
def columns():
    return {**flights(300, 2, shift=0.5), **scored(300, 3)}


def drawn(monitor, scope, columns, kinds=KINDS, total=None, **parts):
    given = rows(total=total, **columns)
    known = outcomes(monitor(**parts), given)
    reference = rows(**flights(900, 1))
    shown = report.content(monitor(**parts), scope.window, given, reference, kinds, known)
    return report.html(shown)


def test_the_page_says_what_was_measured(monitor, scope, columns):
    unlabelled = {**columns, "_label": [*columns["_label"][:240].tolist(), *[None] * 60]}
    html = drawn(monitor, scope, unlabelled, total=1200)
    header = html[html.index("<header>") : html.index("</header>")]
    assert "<h1>model</h1><p>1d 2013-04-01 to 2013-04-02</p>" in header
    assert "a sample: 300 of 1,200 rows (25.0%)" in header
    assert "2013-03-01 to 2013-04-01, 900 rows" in header
    assert "80.0% (240 of 300)" in header


def test_a_column_of_numbers_is_drawn_once_for_all_its_statistics(
    monitor, scope, columns, monkeypatch
):
    from evidently.metrics import column_statistics

    draw, titles = column_statistics.distribution, []

    def noted(title, *sides):
        titles.append(title.partition(":")[0])
        return draw(title, *sides)

    monkeypatch.setattr(column_statistics, "distribution", noted)
    html = drawn(monitor, scope, columns)
    of_numbers = [title for title in titles if "Unique" not in title]  # that is of categories
    assert sorted(of_numbers) == ["Minimal value of 'distance'", "Minimal value of 'temp'"]
    assert column_statistics.distribution is noted
    assert "Std value" not in html


def test_what_cannot_be_shown_is_named(monitor, scope, columns):
    worse = {**columns, "temp": np.full(300, np.nan), "_label": [None] * 300}
    html = drawn(monitor, scope, worse)
    assert "temp is null in every row in the window" in html
    assert "performance is not shown: no labels" in html
    one = rows(x=[1.0])
    bare = report.html(report.content(monitor(), scope.window, one, one, {"x": NUMERIC}))
    assert "x has only one value in the window" in bare


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_scores_are_drawn_where_predicted_classes_are_missing(monitor, scope, columns, share):
    said = pa.array((columns["_score"] >= 0.5).astype(int), mask=np.arange(300) < share * 300)
    html = drawn(
        monitor, scope, {**columns, "_prediction": said}, predictions={"prediction": "said"}
    )
    assert "could not be drawn" not in html
    assert "ROC Curve" in html
    told = "predicted classes are not shown: no labelled row can be used: 300 rows left out"
    assert (told in html) == (share == 1)
    assert ("Confusion Matrix" in html) == (share < 1)


def test_sensitive_columns_are_not_in_the_page(monitor, scope, columns):
    hashed = {**columns, "carrier": np.array(["5ebe2294ecd0", "e0f08d6eab72"] * 150)}
    html = drawn(monitor, scope, hashed, features={"sensitive": ["carrier"]})
    assert "5ebe2294ecd0" not in html
    assert "not shown, being sensitive: carrier" in html


def test_a_text_and_a_timestamp_are_titled_by_what_is_counted(monitor, scope, columns):
    kinds = KINDS | {"temp": ColumnKind.TEXT, "distance": ColumnKind.TIMESTAMP}
    html = drawn(monitor, scope, columns, kinds=kinds)
    assert "could not be drawn" not in html
    assert "temp (length in characters)" in html
    assert "distance (age in seconds)" in html


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_are_drawn(monitor, scope, task):
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(3), 300)
    said = {
        "multiclass": {
            "_label": rng.choice(list("abc"), 300),
            **{f"_score:{name}": chances[:, place] for place, name in enumerate("abc")},
        },
        "regression": {"_label": rng.normal(size=300), "_prediction": rng.normal(size=300)},
    }[task]
    html = drawn(monitor, scope, {**flights(300, 2), **said}, task=task)
    assert "could not be drawn" not in html
    assert {"multiclass": "Classification", "regression": "Regression"}[task] in html


@in_browser
def test_the_page_draws_and_fetches_nothing(monitor, scope, columns, tmp_path):
    with opened(drawn(monitor, scope, columns), tmp_path) as (tab, asked, errors):
        tab.wait_for_selector("svg.main-svg")
        text = tab.inner_text("body")
        assert "Data Drift Summary" in text
        assert "Classification Model Performance" in text
        assert "Dataset Summary" in text
        assert not errors
        assert [address for address in asked if not address.startswith(LOCAL)] == []


@pytest.fixture
def hostile(columns):
    """Return columns whose names and values attack the page, and their kinds."""
    names = [END_OF_SCRIPT, IMAGE, LINK]
    texts = np.array([END_OF_SCRIPT, IMAGE, LINK, ENTITY] * 75)
    return {**columns, **dict.fromkeys(names, texts)}, dict.fromkeys(names, CATEGORICAL)


def hostile_page(monitor, scope, hostile):
    attacked, kinds = hostile
    given, past = rows(**attacked), rows(**attacked)
    known = outcomes(monitor(), given)
    return report.html(report.content(monitor(), scope.window, given, past, kinds, known))


def attack(tab):
    """Wait for the charts, open every row, hover and click all that looks like a link."""
    tab.wait_for_selector("svg.main-svg", timeout=20_000)
    for button in tab.query_selector_all("tbody button")[:12]:
        button.click()
    tab.wait_for_timeout(700)
    for link in tab.query_selector_all("a[href]"):
        link.dispatch_event("click")
    tab.wait_for_timeout(300)


@in_browser
def test_hostile_names_and_values_do_not_run(monitor, scope, hostile, tmp_path):
    with opened(hostile_page(monitor, scope, hostile), tmp_path) as (tab, asked, errors):
        attack(tab)
        assert tab.evaluate("window.pwned") is None
        assert tab.query_selector("img[src=x]") is None
        assert tab.query_selector("a[href*=javascript]") is None
        assert "onerror" in tab.inner_text("body")  # it is shown, as text
        assert not errors
        assert not [address for address in asked if not address.startswith(LOCAL)]


@in_browser
def test_evidentlys_own_page_does_run_them(hostile, tmp_path):
    # The control: without our page the attack succeeds, so the test above can fail.
    attacked, _kinds = hostile
    name = END_OF_SCRIPT
    frame = Frame.of(rows(**attacked), {name: CATEGORICAL})
    dataset = evidently.dataset_of(frame, {name: name})
    preset = evidently.load().presets.DataDriftPreset(columns=[name])
    snapshot = evidently.load().Report([preset]).run(dataset, dataset)
    with opened(snapshot.get_html_str(as_iframe=False), tmp_path) as (tab, _, _):
        tab.wait_for_timeout(500)
        assert tab.evaluate("window.pwned") == 1


@in_browser
@pytest.mark.parametrize("wall", ["texts", "policy"])
def test_each_wall_holds_alone(monitor, scope, hostile, tmp_path, monkeypatch, wall):
    if wall == "policy":
        monkeypatch.setattr(page, "plain", str)
    html = hostile_page(monitor, scope, hostile)
    if wall == "texts":
        html = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", html)
        assert "Content-Security-Policy" not in html
    with opened(html, tmp_path) as (tab, _, _):
        attack(tab)
        assert tab.evaluate("window.pwned") is None


def test_no_markup_is_left_in_the_data(monitor, scope, hostile):
    html = hostile_page(monitor, scope, hostile)
    blocks = re.findall(r'<script type="application/json".*?>(.*?)</script>', html, re.DOTALL)
    assert len(blocks) == 2
    assert not any("<" in block for block in blocks)
    assert "javascript:" not in html[: html.index('<div id="root">')]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("temp", "temp"),
        ("AT&T", "AT&T"),
        ("a\u202eb\x00c\nd", "abcd"),
        ("x" * 100, "x" * 59 + "…"),
        (None, "None"),
    ],
)
def test_plain(text, shown):
    assert page.plain(text) == shown


def test_plain_takes_the_sting_out():
    for text in (END_OF_SCRIPT, IMAGE, LINK, ENTITY, "JavaScript :x", "&#60;"):
        clean = page.plain(text)
        assert not re.search(r"<|>|&#?\w+;|javascript\s*:", clean, re.IGNORECASE)


def test_names_that_read_alike_stay_apart():
    names = ["<a", "‹a", "‹a′", ""]  # noqa: RUF001 (lookalikes are the point)
    assert len(set(report._display_names(names).values())) == len(names)


def test_it_begins_with_what_the_rules_say(scope, monitor):
    def verdict(rule, outcome, column=""):
        measurement = scope.measurement(
            Suite.DRIFT, "psi", 1.0, engine=Engine.EVIDENTLY, column_name=column
        )
        return Verdict(rule=rule, measurement=measurement, outcome=outcome, reason=IMAGE)

    said = [
        verdict("fine", Outcome.OK),
        verdict("mild", Outcome.WARN),
        verdict("bad", Outcome.CRITICAL),
        verdict("secret", Outcome.WARN, column="postcode"),
    ]
    frame = rows(temp=np.arange(50.0), postcode=np.arange(50.0))
    secretive = monitor(features={"sensitive": ["postcode"]})
    kinds = {"temp": NUMERIC, "postcode": NUMERIC}
    shown = report.content(secretive, scope.window, frame, frame, kinds, None, said)
    page_ = report.html(shown)
    listed = re.findall(r'<li><b class="(\w*)">[^<]*</b>([^<]*)</li>', page_)
    assert [outcome for outcome, _ in listed] == ["critical", "warn", "ok"]
    assert listed[0][1].startswith("bad: &lt;img")
    assert "secret:" not in page_


def test_every_part_of_the_header_is_text():
    """Causes and reasons hold names and values of the data."""
    attack = f"{IMAGE}\x1b[2J"
    header = page.Header(
        title=attack,
        subtitle=attack,
        facts=((attack, attack),),
        said=((attack, attack),),
        why=(attack, attack),
        remarks=(attack,),
    )
    html = page.render(header, None)
    assert "<img" not in html
    assert "\x1b" not in html
    # The window's title has two, so has the heading; of an outcome it is the class and the words.
    assert html.count("&lt;img") == 2 + 2 + 2 + 3 + 2 + 1
    assert 'class="&lt;img src=x onerror=&#x27;' in html  # it stays within its attribute
