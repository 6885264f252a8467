#!/usr/bin/env python3
"""Make the table behind src/app_console_files.h: console.py OUT PATH TYPE FILE [PATH TYPE FILE ...]."""
import sys

out, rows = sys.argv[1], sys.argv[2:]
arrays, table = [], []
for n, (path, kind, name) in enumerate(zip(rows[::3], rows[1::3], rows[2::3], strict=True)):
    with open(name, "rb") as f:
        data = f.read()
    numbers = [str(byte) for byte in data]
    lines = [", ".join(numbers[at:at + 24]) for at in range(0, len(numbers), 24)]
    arrays.append(f"static const unsigned char file_{n}[] = {{\n    " + ",\n    ".join(lines) + ",\n};\n")
    table.append(f'    {{ "{path}", "{kind}", (const char *)file_{n}, sizeof file_{n} }},\n')
with open(out, "w", encoding="ascii") as f:
    f.write('#include "app_console_files.h"\n\n' + "\n".join(arrays)
            + "\nconst struct sl_console_file sl_console_files[] = {\n" + "".join(table)
            + "};\nconst size_t sl_console_files_n = sizeof sl_console_files / sizeof *sl_console_files;\n")
