"""Names of what the teachers predict: listeners' tags, and AudioSet's classes of singing and music."""

from __future__ import annotations

from typing import Final

LISTENER_TAGS: Final = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul",
    "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies",
    "blues", "hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar", "hip-hop",
    "70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal",
    "progressive rock", "60s", "rnb", "indie pop", "sad", "house", "happy",
)  # fmt: skip
"""Tags of the Million Song Dataset that musicnn's networks predict, most frequent first."""

SINGING: Final = (
    "Singing", "Choir", "Yodeling", "Chant", "Mantra", "Male singing", "Female singing", "Child singing",
    "Synthetic singing", "Rapping", "Humming",
)  # fmt: skip
"""Classes 27 to 37 of AudioSet (Gemmeke et al., 2017)."""

MUSIC: Final = (
    "Music", "Musical instrument", "Plucked string instrument", "Guitar", "Electric guitar", "Bass guitar",
    "Acoustic guitar", "Steel guitar, slide guitar", "Tapping", "Strum", "Banjo", "Sitar", "Mandolin",
    "Zither", "Ukulele", "Keyboard", "Piano", "Electric piano", "Organ", "Electronic organ",
    "Hammond organ", "Synthesizer", "Sampler", "Harpsichord", "Percussion", "Drum kit", "Drum machine",
    "Drum", "Snare drum", "Rimshot", "Drum roll", "Bass drum", "Timpani", "Tabla", "Cymbal", "Hi-hat",
    "Wood block", "Tambourine", "Rattle", "Maraca", "Gong", "Tubular bells", "Mallet percussion",
    "Marimba, xylophone", "Glockenspiel", "Vibraphone", "Steelpan", "Orchestra", "Brass instrument",
    "French horn", "Trumpet", "Trombone", "Bowed string instrument", "String section", "Violin, fiddle",
    "Pizzicato", "Cello", "Double bass", "Wind instrument, woodwind instrument", "Flute", "Saxophone",
    "Clarinet", "Harp", "Bell", "Church bell", "Jingle bell", "Bicycle bell", "Tuning fork", "Chime",
    "Wind chime", "Change ringing", "Harmonica", "Accordion", "Bagpipes", "Didgeridoo", "Shofar",
    "Theremin", "Singing bowl", "Scratching", "Pop music", "Hip hop music", "Beatboxing", "Rock music",
    "Heavy metal", "Punk rock", "Grunge", "Progressive rock", "Rock and roll", "Psychedelic rock",
    "Rhythm and blues", "Soul music", "Reggae", "Country", "Swing music", "Bluegrass", "Funk",
    "Folk music", "Middle Eastern music", "Jazz", "Disco", "Classical music", "Opera", "Electronic music",
    "House music", "Techno", "Dubstep", "Drum and bass", "Electronica", "Electronic dance music",
    "Ambient music", "Trance music", "Music of Latin America", "Salsa music", "Flamenco", "Blues",
    "Music for children", "New-age music", "Vocal music", "A capella", "Music of Africa", "Afrobeat",
    "Christian music", "Gospel music", "Music of Asia", "Carnatic music", "Music of Bollywood", "Ska",
    "Traditional music", "Independent music", "Song", "Background music", "Theme music", "Jingle",
    "Soundtrack music", "Lullaby", "Video game music", "Christmas music", "Dance music", "Wedding music",
    "Happy music", "Funny music", "Sad music", "Tender music", "Exciting music", "Angry music",
    "Scary music",
)  # fmt: skip
"""Classes 137 to 282 of AudioSet."""

EFFICIENTAT_CLASSES: Final = SINGING + MUSIC
"""Names of the classes of ``training.distillation.efficientat.CLASSES``, in their order."""

YAMNET_CLASSES: Final = tuple(
    name for name in EFFICIENTAT_CLASSES if name not in ("Male singing", "Female singing", "Funny music")
)
"""Names of the classes of ``training.distillation.yamnet.CLASSES``. YAMNet was trained without three."""

GENRE_TAGS: Final = {
    "blues": ("blues",),
    "country": ("country",),
    "hiphop": ("hip-hop",),
    "jazz": ("jazz",),
    "metal": ("metal", "heavy metal"),
    "pop": ("pop", "indie pop"),
    "rock": (
        "rock", "alternative rock", "classic rock", "indie rock", "hard rock", "progressive rock", "punk",
    ),
}  # fmt: skip
"""Tags of musicnn that name a genre. It has none for classical, disco and reggae."""
