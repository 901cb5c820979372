"""What the scripts that turn samples into tables share: a report, as Markdown for whoever runs the benchmark, and as a file of data.

The data is tab-separated: facts in lines that begin with "# ", a heading in a line that begins with "## ", then its columns, then its rows.
"""


def markdown_table(heads, rows, left):
    """The first columns are words, the others numbers."""
    yield '| ' + ' | '.join(heads) + ' |'
    yield '|' + '|'.join('---' if column < left else '---:' for column in range(len(heads))) + '|'
    yield from ('| ' + ' | '.join(row) + ' |' for row in rows)


def read_facts(file):
    """What was measured, on what: [name, value] in the order of the file."""
    return [line.rstrip('\n').split('\t') for line in open(file)]


def write(facts, sections, file):
    """Prints the sections that have rows, each (heading, columns, rows, columns of words), and writes them to a file."""
    with open(file, 'w') as data:
        for name, value in facts:
            print(f'- {name}: {value}')
            print(f'# {name}: {value}', file=data)
        for head, columns, rows, left in sections:
            rows = list(rows)
            if rows:
                print('\n'.join(['', f'## {head}', '', *markdown_table(columns, rows, left)]))
                print('\n'.join([f'## {head}', *('\t'.join(row) for row in [columns, *rows])]), file=data)


def read(file):
    """The facts and the sections of a file: {name: [values]}, {heading: [{column: value}]}."""
    facts, sections, columns = {}, {}, None
    for line in open(file).read().splitlines():
        if line.startswith('# '):
            name, value = line[2:].split(': ', 1)
            facts.setdefault(name, []).append(value)
        elif line.startswith('## '):
            rows, columns = sections.setdefault(line[3:], []), None
        elif columns is None:
            columns = line.split('\t')
        else:
            rows.append(dict(zip(columns, line.split('\t'))))
    return facts, sections
