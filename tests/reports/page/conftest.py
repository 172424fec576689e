"""A browser that shows the page which a module's fixture `page` has written."""

import pytest
from helpers.runs.browser import Browser, find_browser


@pytest.fixture(scope="module")
def browser():
    browser = Browser(find_browser())
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, page):
    """The newly opened page; afterwards, check that it raised no error and made no request."""
    browser.look()
    browser.open(page)
    yield browser
    assert browser.problems == []
    assert browser.requests == []
    assert browser.evaluate("window.hurt === undefined")
