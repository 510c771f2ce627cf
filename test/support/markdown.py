"""What the tests need to know about Markdown files: links, anchors and commands."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
import re

_FENCE = re.compile(r'^( *)```.*?^\1```', re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r'`([^`]+)`')


def links(text: str) -> list[str]:
    """Return the targets of links and images outside code."""
    prose = _INLINE_CODE.sub('', _FENCE.sub('', text))
    return re.findall(r'\]\(([^)\s]+)\)', prose)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r'^#+ (.+)$', _FENCE.sub('', text), re.MULTILINE):
        slug = re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')
        found.add(f'{slug}-{seen[slug]}' if seen[slug] else slug)
        seen[slug] += 1
    return found


def commands(text: str) -> Iterator[str]:
    """Yield every line of code blocks, continuation lines joined, and every inline code."""
    for block in _FENCE.finditer(text):
        yield from block.group().replace('\\\n', ' ').splitlines()
    for code in _INLINE_CODE.findall(_FENCE.sub('', text)):
        yield ' '.join(code.split())


def table(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its header, code unquoted."""
    section = text.split(f'\n## {heading}\n', 1)[1]
    rows = re.search(r'(?:^\|.*\n)+', section, re.MULTILINE).group().splitlines()[2:]
    return [[cell.strip().strip('`') for cell in row.strip('|').split(' | ')] for row in rows]


def pages(root: Path) -> list[Path]:
    """Return the Markdown files of a checkout that users and contributors read."""
    return sorted(
        path for pattern in ('*.md', 'doc/*.md', 'models/*.md') for path in root.glob(pattern)
    )
