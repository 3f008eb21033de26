"""What results say, in German. Not reviewed by a native clinician."""

GERMAN: dict[str, str] = {
    # every report
    "AI result, not verified by a physician.": "KI-Ergebnis, nicht ärztlich überprüft.",
    "Research use: the input lies outside the domain the model was evaluated on; do not rely on the figures": (
        "Nur für Forschungszwecke: Die Eingabe liegt außerhalb des Bereichs, für den das Modell evaluiert wurde; "
        "auf die Werte ist kein Verlass"
    ),
    "The input lies within the domain the model was evaluated on": (
        "Die Eingabe liegt innerhalb des Bereichs, für den das Modell evaluiert wurde"
    ),
    "Decision threshold: {threshold}": "Entscheidungsschwelle: {threshold}",
    "Certainty with one standard deviation: {certainty}": "Sicherheit mit einer Standardabweichung: {certainty}",
    "Examined: {series}.": "Untersucht: {series}.",
    "Looked at: {series}": "Angesehen: {series}",
    "{modality} series '{description}', {count} images": "{modality}-Serie „{description}“, {count} Bilder",
    "{modality} series '{description}', 1 image": "{modality}-Serie „{description}“, 1 Bild",
    "{modality} series without description, {count} images": "{modality}-Serie ohne Beschreibung, {count} Bilder",
    "{modality} series without description, 1 image": "{modality}-Serie ohne Beschreibung, 1 Bild",
    "Nothing found.": "Nichts gefunden.",
    # segmentation
    "{name}: volume {volume} ml, largest diameter {diameter} mm.": (
        "{name}: Volumen {volume} ml, größter Durchmesser {diameter} mm."
    ),
    "{name}: volume {volume} ml, largest diameter {diameter} mm, {long} × {short} mm on its largest slice.": (
        "{name}: Volumen {volume} ml, größter Durchmesser {diameter} mm, {long} × {short} mm auf der größten Schicht."
    ),
    "{name}: mean {mean} {unit}.": "{name}: Mittelwert {mean} {unit}.",
    "{name}: {count} found.": "{name}: {count} gefunden.",
    "{name}: probability {probability} %, diameter {diameter} mm.": (
        "{name}: Wahrscheinlichkeit {probability} %, Durchmesser {diameter} mm."
    ),
    "{name}: probability {probability} %.": "{name}: Wahrscheinlichkeit {probability} %.",
    "No finding is given, because the images lie outside the domain the model was evaluated on.": (
        "Es wird kein Befund angegeben, weil die Bilder außerhalb des Bereichs liegen, "
        "für den das Modell evaluiert wurde."
    ),
    "Each finding is drawn as the box that the model gave, on its middle slice; its longer side is the diameter": (
        "Jeder Befund ist als der Kasten gezeichnet, den das Modell angegeben hat, auf dessen mittlerer Schicht; "
        "die längere Seite ist der Durchmesser"
    ),
    "Findings below the decision threshold of {threshold} % are not given": (
        "Befunde unter der Entscheidungsschwelle von {threshold} % werden nicht angegeben"
    ),
    "the {count} most probable of {all} findings are given": (
        "angegeben sind die {count} wahrscheinlichsten von {all} Befunden"
    ),
    "Centres of mass in the patient coordinate system, mm to the left, to the back and to the head: {places}": (
        "Schwerpunkte im Patientenkoordinatensystem, mm nach links, nach hinten und zum Kopf: {places}"
    ),
    "{name}: outlined; its size is not known.": "{name}: umrandet; die Größe ist nicht bekannt.",
    "Looked for and not found: {names}.": "Gesucht und nicht gefunden: {names}.",
    "The uncertainty of an outline is the model's own, averaged over the structure: 0 is sure, 1 is unsure": (
        "Die Unsicherheit einer Kontur ist die des Modells selbst, über die Struktur gemittelt: "
        "0 ist sicher, 1 ist unsicher"
    ),
    "Each structure is outlined on the slice where it is largest": (
        "Jede Struktur ist auf der Schicht umrandet, auf der sie am größten ist"
    ),
    "No volume is given, because the images lie outside the domain the model was evaluated on.": (
        "Es wird kein Volumen angegeben, weil die Bilder außerhalb des Bereichs liegen, "
        "für den das Modell evaluiert wurde."
    ),
    # comparison with the prior study
    "{name}: {now} ml, in the study of {day} {then} ml ({change} ml).": (
        "{name}: {now} ml, in der Studie vom {day} {then} ml ({change} ml)."
    ),
    "{name}: {now} ml, in the study of {day} {then} ml ({change} ml, {relative} %).": (
        "{name}: {now} ml, in der Studie vom {day} {then} ml ({change} ml, {relative} %)."
    ),
    "Not matched: in this study {here}; in the study of {day} {there}.": (
        "Nicht zugeordnet: in dieser Studie {here}; in der Studie vom {day} {there}."
    ),
    "The study of {day} was measured by another version of the model.": (
        "Die Studie vom {day} wurde mit einer anderen Version des Modells gemessen."
    ),
    "none": "keine",
    # classification
    "The uncertainty of a probability is one standard deviation over repeated readings of the image by the model": (
        "Die Unsicherheit einer Wahrscheinlichkeit ist eine Standardabweichung "
        "über wiederholte Auswertungen des Bildes durch das Modell"
    ),
    "No probability is given, because the image lies outside the domain the model was evaluated on.": (
        "Es wird keine Wahrscheinlichkeit angegeben, weil das Bild außerhalb des Bereichs liegt, "
        "für den das Modell evaluiert wurde."
    ),
    "Research use only.": "Nur für Forschungszwecke.",
    "{name}: not assessed.": "{name}: nicht beurteilt.",
    "{name}: suspected, probability {probability}, at or above the decision threshold of {threshold}.": (
        "{name}: Verdacht, Wahrscheinlichkeit {probability}, auf oder über der Entscheidungsschwelle von {threshold}."
    ),
    "{name}: not suspected, probability {probability}, below the decision threshold of {threshold}.": (
        "{name}: kein Verdacht, Wahrscheinlichkeit {probability}, unter der Entscheidungsschwelle von {threshold}."
    ),
    # key images
    "{name}: image {number}.": "{name}: Bild {number}.",
    "{name}: frame {number}.": "{name}: Frame {number}.",
    "{name}: slice {number}.": "{name}: Schicht {number}.",
    # could not analyse
    "Could not analyse: {reason} There is no AI result for this study.": (
        "Auswertung nicht möglich: {reason} Für diese Studie gibt es kein KI-Ergebnis."
    ),
}
