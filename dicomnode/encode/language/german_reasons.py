"""Reasons, notes and names that other rooms give in English, in German. Not reviewed by a native clinician."""

GERMAN_REASONS: dict[str, str] = {
    # why a series is no volume
    "{keyword} is missing or unusable: the position of the images is not known": (
        "{keyword} fehlt oder ist unbrauchbar: Die Lage der Bilder ist nicht bekannt"
    ),
    "a slice is missing: no image between {after} and {before} mm along the stack": (
        "Zwischen {after} und {before} mm entlang der Normalen fehlt eine Schicht"
    ),
    "slice gaps run from {smallest} to {largest} mm; at most {allowed} mm off the median": (
        "Die Schichtabstände reichen von {smallest} bis {largest} mm; "
        "erlaubt sind höchstens {allowed} mm Abweichung vom Median"
    ),
    "{images} images lie at {at} mm along the stack: several volumes in one series": (
        "{images} Bilder liegen bei {at} mm entlang der Normalen: mehrere Volumina in einer Serie"
    ),
    "stacked {tilt}° off the slice normal; the model takes at most {limit}°": (
        "Der Stapel ist {tilt}° gegen die Schichtnormale geneigt; das Modell nimmt höchstens {limit}°"
    ),
    "images of the series lie at {angle}° to each other": "Bilder der Serie liegen {angle}° zueinander geneigt",
    "images of the series differ in size: {one} and {other}": (
        "Bilder der Serie sind verschieden groß: {one} und {other}"
    ),
    "instance {uid} cannot be read: {reason}": "Instanz {uid} ist nicht lesbar: {reason}",
    "instance {uid} has no pixel data": "Instanz {uid} enthält keine Bilddaten",
    "the series has {count} frames of reference: its images cannot be placed in one volume": (
        "Die Serie hat {count} Bezugssysteme: Ihre Bilder lassen sich nicht in einem Volumen anordnen"
    ),
    "the image has {rows} rows and {columns} columns": "Das Bild hat {rows} Zeilen und {columns} Spalten",
    "pixels in transfer syntax {syntax} cannot be decoded: {reason}": (
        "Bilddaten in der Transfersyntax {syntax} lassen sich nicht dekodieren: {reason}"
    ),
    "{count} images (or frames) where the model takes one": ("{count} Bilder, wo das Modell eines nimmt"),
    "no series is a crop of 80 mm or less": "Keine Serie ist ein Ausschnitt von höchstens 80 mm",
    "the prior study could not be fetched, nothing is compared: {reason}": (
        "Die Voraufnahme konnte nicht geholt werden, es wird nichts verglichen: {reason}"
    ),
    # why an image lies outside the domain
    "the patient's age is {age}; evaluated on {span}": "Alter der Person: {age}; evaluiert für {span}",
    "the patient's age is unknown; evaluated on {span}": "Das Alter der Person ist unbekannt; evaluiert für {span}",
    "the patient's age is contradictory ({contradiction}); evaluated on {span}": (
        "Die Angaben zum Alter widersprechen sich ({contradiction}); evaluiert für {span}"
    ),
    "Patient's Age says {said} years, the birth date {counted}": (
        "laut Patient's Age {said} Jahre, laut Geburtsdatum {counted}"
    ),
    "{years} years": "{years} Jahre",
    "{months} months": "{months} Monate",
    "{low} to {high} years": "{low} bis {high} Jahre",
    "{low} years and older": "ab {low} Jahren",
    "up to {high} years": "bis {high} Jahre",
    "the view position is {view}; evaluated on {views}": "Aufnahmerichtung {view}; evaluiert für {views}",
    "unknown": "unbekannt",
    "its overall shape is unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "Die Gesamtform gleicht nicht den Aufnahmen, an denen das Modell evaluiert wurde (Wert {score}, Grenze {limit})"
    ),
    "its grey levels are unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "Die Grauwerte gleichen nicht den Aufnahmen, an denen das Modell evaluiert wurde (Wert {score}, Grenze {limit})"
    ),
    "its texture is unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "Die Textur gleicht nicht den Aufnahmen, an denen das Modell evaluiert wurde (Wert {score}, Grenze {limit})"
    ),
    "what the model sees in it is unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "Was das Modell im Bild erkennt, gleicht nicht den Aufnahmen, an denen es evaluiert wurde "
        "(Wert {score}, Grenze {limit})"
    ),
    # what happened on the way
    "MONOCHROME1 inverted": "MONOCHROME1 invertiert",
    "colour turned into luminance": "Farbe in Helligkeit umgerechnet",
    "pixel padding set to {value}": "Füllpixel auf {value} gesetzt",
    "saliency map of {finding}": "Aufmerksamkeitskarte für {finding}",
    "ran on the CPU after out-of-memory on the accelerator": (
        "auf der CPU gerechnet, weil der Speicher des Beschleunigers nicht reichte"
    ),
    "window reduced from {window} to {smaller} after out-of-memory": (
        "Fenster wegen Speichermangels von {window} auf {smaller} verkleinert"
    ),
    "image {number} of {count} images alone is analysed": "Nur Bild {number} von {count} Bildern wird ausgewertet",
    # names
    "left": "links",
    "right": "rechts",
}
