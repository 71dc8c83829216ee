"""How wordings are set: by the rules of each language, and in that language alone."""

import re

PLACES = re.compile(r"\{\w+(?:, one )?|, other |\}")
# Code in a sentence: quoted, of a configuration, addresses, options and what `comparimg-ctl` takes.
CODE = re.compile(
    r'"[^"]*"|`[^`]*`|https?://\S*|\[\w+\]|\w+ = |--[\w-]+|Content-Type: \S+|Authorization: \w+|[\w.]+\.\w{3,4}\b'
)
FRENCH_SPACES = {
    "a straight apostrophe": re.compile(r"'"),
    "no narrow no-break space before ; ! ? or %": re.compile(r"[^\u202f(\[][;!?%](?!\w)"),
    "no no-break space before a colon": re.compile(r"[^\u00a0]:(?=\s|$)"),
    "no no-break space within guillemets": re.compile(r"«[^\u00a0]|[^\u00a0]»"),
    "English quotation marks": re.compile(r"[“”]"),
    "a no-break space before nothing that needs it": re.compile(r"\u202f[^;!?%\d]"),
}
ENGLISH_SPACES = {
    "a straight apostrophe": re.compile(r"'"),
    "a space before punctuation": re.compile(r"\w[ \u00a0\u202f][;:!?%](?=\s|$)"),
    "guillemets": re.compile(r"[«»]"),
    "an accent": re.compile(r"[àâçéèêëîïôùûœ]", re.IGNORECASE),
}
BOTH = {
    "three dots instead of an ellipsis": re.compile(r"\.\.\.|\. \. \."),
    "a double space": re.compile(r"\S  +\S"),
    "a space at the end": re.compile(r"\s$"),
}
WORDS = {
    "en": re.compile(r"\b(?:the|and|of|with|is|are|this|from|which|cannot|not|by|for|it|its|be)\b", re.IGNORECASE),
    "fr": re.compile(r"\b(?:le|la|les|des|une|est|sont|dans|avec|pour|qui|que|pas|du|au|aux|cette)\b", re.IGNORECASE),
}


def faults(text: str, language: str) -> list[str]:
    """What is wrong with how a text is set, in words; empty if nothing is."""
    plain = CODE.sub("X", text)
    rules = {**BOTH, **(FRENCH_SPACES if language == "fr" else ENGLISH_SPACES)}
    found = [name for name, pattern in rules.items() if pattern.search(plain)]
    other = "en" if language == "fr" else "fr"
    words = PLACES.sub(" ", plain)
    if WORDS[other].search(words) and not WORDS[language].search(words):
        found.append("it is in the other language")
    return found
