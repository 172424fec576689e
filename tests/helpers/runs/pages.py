"""Reading of the web pages that ganlab writes."""

import json
from html.parser import HTMLParser


class Tags(HTMLParser):
    """The elements of a page, and its data blocks by id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.data, self._id = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._id = dict(attributes).get("id") if tag == "script" else None

    def handle_endtag(self, tag):
        self._id = None

    def handle_data(self, data):
        if self._id:
            self.data[self._id] = json.loads(data)
