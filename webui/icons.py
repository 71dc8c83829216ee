"""The icons of the navigation, as SVG in the colour of the surrounding text."""

PATHS = {
    "groups": '<rect x="3" y="8" width="12" height="12" rx="2.5"/><path d="M9 5.5A2.5 2.5 0 0 1 11.5 3h7A2.5 2.5 0 0 1 '
    '21 5.5v7a2.5 2.5 0 0 1-2.5 2.5"/>',
    "rules": '<path d="M4 6.500h9M4 12h6M4 17.500h9"/><path d="m15.500 14.500 2.500 2.500 3.500-5"/>',
    "plan": '<path d="M21 4 10.500 14.500M21 4l-6.500 17-4-6.500L4 10.500z"/>',
    "library": '<path d="M4 20V10M9.500 20V4M15 20v-7M20.500 20V8"/>',
    "activity": '<path d="M3 12h4l3-7.5 4.5 15 3-7.5H21"/>',
    "settings": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>',
}


def icon(name: str) -> str:
    return (
        '<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8"'
        f' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{PATHS[name]}</svg>'
    )
