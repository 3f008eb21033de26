"""A version that a person put in use against the gate's verdict: every result says so, first of all in its title."""

from dicomnode.bundles.dicom_toml import DicomToml

RESEARCH = "RESEARCH"
STATEMENT = (
    "RESEARCH: this version of the model is in use without having passed the tests that clinical use needs. "
    "Do not rely on it."
)
TRANSLATED = {
    "de": "RESEARCH (Forschung): Diese Version des Modells wird verwendet, ohne die für die klinische Nutzung nötigen "
    "Prüfungen bestanden zu haben. Nicht darauf verlassen.",
    "ja": "RESEARCH（研究用）：このバージョンのモデルは、臨床使用に必要な試験に合格しないまま使用されています。"
    "診断に用いないでください。",
}


def for_research(rules: DicomToml) -> DicomToml:
    """The model's dicom.toml, with RESEARCH in its title and its intended use, in every language."""
    about = rules.model
    title, intended = f"{RESEARCH}: {about.title}", f"{RESEARCH}: {about.intended_use}"
    changed = about.model_copy(
        update={"title": title, "intended_use": intended, "statements": (STATEMENT, *about.statements)}
    )
    known: dict[str, dict[str, str]] = {**{language: {} for language in TRANSLATED}, **rules.translations}
    translations = {
        language: _also(words, about.title, about.intended_use) | {STATEMENT: TRANSLATED.get(language, STATEMENT)}
        for language, words in known.items()
    }
    return rules.model_copy(update={"model": changed, "translations": translations})


def _also(words: dict[str, str], *told: str) -> dict[str, str]:
    """The translations, and those of the same sentences after RESEARCH."""
    return words | {f"{RESEARCH}: {said}": f"{RESEARCH}: {words[said]}" for said in told if said in words}
