"""The line icons of the navigation, as SVG that takes the colour of the text beside it."""

PATHS = {
    "groups": '<rect x="3" y="8" width="12" height="12" rx="2.5"/><path d="M9 5.5A2.5 2.5 0 0 1 11.5 3h7A2.5 2.5 0 0 1 '
    '21 5.5v7a2.5 2.5 0 0 1-2.5 2.5"/>',
    "folders": '<path d="M3 7.5A2.5 2.5 0 0 1 5.5 5H9l2.5 2.5h7A2.5 2.5 0 0 1 21 10v6.5a2.5 2.5 0 0 1-2.5 '
    '2.5h-13A2.5 2.5 0 0 1 3 16.5z"/>',
    "activity": '<path d="M3 12h4l3-7.5 4.5 15 3-7.5H21"/>',
    "problems": '<path d="M12 4 2.800 19.5h18.400z"/><path d="M12 10v4.5M12 17v.2"/>',
    "settings": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>',
}


def icon(name: str) -> str:
    return (
        '<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8"'
        f' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{PATHS[name]}</svg>'
    )
