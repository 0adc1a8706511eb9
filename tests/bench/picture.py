"""Small bar charts beside each other as SVG: one for each measure, a bar for each way."""
from xml.sax.saxutils import escape

# Okabe and Ito's colours, which colour-blind people tell apart; the tint is Leman's own.
COLOURS = (("Leman", "#009E73"), ("Linux geneve", "#0072B2"), ("Linux vxlan", "#56B4E9"),
           ("OVS kernel + geneve + ct", "#D55E00"), ("OVS", "#E69F00"))
TINT, GREY = "#8FD0BC", "#999999"
LABELS, PANEL, GAP, ROW, BAR, TOP, COLUMNS = 240, 190, 22, 19, 13, 62, 4
NUMBER = 40  # room right of the longest bar


def colour(way):
    if way != "Leman" and way.startswith("Leman"):
        return TINT
    return next((value for start, value in COLOURS if way.startswith(start)), GREY)


def _text(x, y, words, size=11, **more):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{attributes}>{escape(words)}</text>'


def _panel(left, top, title, bars, scale):
    bottom = top + len(bars) * ROW
    parts = [_text(left, top - 6, title, 12, font_weight="bold")]
    numbers = []
    for number, (way, (value, low, high)) in enumerate(bars.items()):
        middle = top + number * ROW + ROW / 2
        parts.append(f'<rect x="{left}" y="{middle - BAR / 2}" width="{value * scale:.1f}" '
                     f'height="{BAR}" fill="{colour(way)}"/>')
        if (high - low) * scale > 2:
            parts.append(f'<path d="M{left + low * scale:.1f} {middle}H{left + high * scale:.1f}" '
                         'stroke="#222" stroke-width="1.5"/>')
        numbers.append(_text(left + max(value, high) * scale + 4, middle + 4, f"{value:.2f}",
                             stroke="#fff", stroke_width=3, paint_order="stroke"))
    return [*parts, f'<path d="M{left} {top}V{bottom}" stroke="#222"/>',
            f'<path d="M{left + scale:.1f} {top}V{bottom}" stroke="#888" stroke-dasharray="3 3"/>',
            *numbers]


def svg(title, explanation, captions, panels):
    """`panels`: (title, {way: (value, lowest, highest)}), all with the same ways."""
    ways = list(panels[0][1])
    longest = max(high for _, bars in panels for _, _, high in bars.values())
    scale = (PANEL - NUMBER) / longest
    block = len(ways) * ROW + 40
    rows = (len(panels) + COLUMNS - 1) // COLUMNS
    width = LABELS + COLUMNS * (PANEL + GAP)
    height = TOP + rows * block + 16 * len(captions) + 12
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}" font-family="sans-serif" fill="#222">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>',
             _text(12, 24, title, 17, font_weight="bold"), _text(12, 43, explanation, 12)]
    for row in range(rows):
        top = TOP + row * block + 24
        for number, way in enumerate(ways):
            parts.append(_text(LABELS - 8, top + number * ROW + ROW / 2 + 4, way, 12,
                               text_anchor="end",
                               **({"font_weight": "bold"} if way == "Leman" else {})))
        for column, (name, bars) in enumerate(panels[row * COLUMNS:(row + 1) * COLUMNS]):
            parts += _panel(LABELS + column * (PANEL + GAP), top, name, bars, scale)
    for number, caption in enumerate(captions):
        parts.append(_text(12, TOP + rows * block + 14 + 16 * number, caption, 11, fill="#555"))
    return "\n".join([*parts, "</svg>"]) + "\n"
