"""For the site only: sections of a page between <!-- tabs --> and <!-- /tabs -->, each under a bold line, become tabs."""
import re
import textwrap


def tab(match):
    return f'=== "{match["name"]}"\n\n{textwrap.indent(match["text"].strip(), "    ")}\n\n'


def tabs(match):
    return re.sub(r"^\*\*(?P<name>[^*\n]+)\*\*\n(?P<text>.*?)(?=^\*\*[^*\n]+\*\*\n|\Z)", tab, match[1], flags=re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown, **_):
    """Called by mkdocs with each page's text."""
    return re.sub(r"^<!-- tabs -->\n(.*?)^<!-- /tabs -->$", tabs, markdown, flags=re.MULTILINE | re.DOTALL)
