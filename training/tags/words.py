"""The words, and the teachers' classes that mean them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Word(NamedTuple):
    """A word, and the names of classes that mean it.

    Attributes
    ----------
    kind : str
        "style", "mood", "voice", "instrument" or "era".
    name : str
    listeners : tuple of str
        Tags of the Million Song Dataset (``LISTENER_TAGS``).
    audioset : tuple of str
        Classes of AudioSet (``training.data.teacher_classes``).
    """

    kind: str
    name: str
    listeners: tuple[str, ...] = ()
    audioset: tuple[str, ...] = ()


WORDS: Final = (
    Word("style", "electronic", ("electronic", "electronica"), ("Electronic music", "Electronica")),
    Word("style", "house", ("house",), ("House music",)),
    Word("style", "techno", (), ("Techno",)),
    Word("style", "trance", (), ("Trance music",)),
    Word("style", "drum and bass", (), ("Drum and bass",)),
    Word("style", "dubstep", (), ("Dubstep",)),
    Word("style", "ambient", ("ambient",), ("Ambient music", "New-age music")),
    Word("style", "dance", ("dance",), ("Electronic dance music", "Dance music")),
    Word("style", "rap", ("hip-hop",), ("Hip hop music", "Rapping")),
    Word("style", "r&b", ("rnb",), ("Rhythm and blues",)),
    Word("style", "soul", ("soul",), ("Soul music",)),
    Word("style", "funk", ("funk",), ("Funk",)),
    Word("style", "gospel", (), ("Gospel music", "Christian music")),
    Word("style", "punk", ("punk",), ("Punk rock",)),
    Word("style", "grunge", (), ("Grunge",)),
    Word("style", "indie", ("indie", "indie rock", "indie pop"), ("Independent music",)),
    Word("style", "alternative", ("alternative", "alternative rock"), ()),
    Word("style", "classic rock", ("classic rock",), ("Rock and roll",)),
    Word("style", "hard rock", ("hard rock",), ()),
    Word("style", "heavy metal", ("heavy metal", "metal"), ("Heavy metal",)),
    Word("style", "progressive rock", ("progressive rock",), ("Progressive rock",)),
    Word("style", "psychedelic rock", (), ("Psychedelic rock",)),
    Word("style", "folk", ("folk",), ("Folk music",)),
    Word("style", "bluegrass", (), ("Bluegrass",)),
    Word("style", "latin", (), ("Music of Latin America", "Salsa music")),
    Word("style", "flamenco", (), ("Flamenco",)),
    Word("style", "ska", (), ("Ska",)),
    Word("style", "swing", (), ("Swing music",)),
    Word("style", "opera", (), ("Opera",)),
    Word("style", "indian", (), ("Carnatic music", "Music of Bollywood")),
    Word("style", "middle eastern", (), ("Middle Eastern music",)),
    Word("style", "african", (), ("Music of Africa", "Afrobeat")),
    Word("style", "experimental", ("experimental",), ()),
    Word("style", "easy listening", ("easy listening",), ()),
    Word("style", "soundtrack", (), ("Soundtrack music", "Theme music")),
    Word("style", "video game", (), ("Video game music",)),
    Word("style", "children's", (), ("Music for children",)),
    Word("mood", "calm", ("mellow", "chill", "chillout"), ("Tender music", "Lullaby")),
    Word("mood", "sad", ("sad",), ("Sad music",)),
    Word("mood", "happy", ("happy",), ("Happy music",)),
    Word("mood", "energetic", (), ("Exciting music",)),
    Word("mood", "angry", (), ("Angry music",)),
    Word("mood", "dark", (), ("Scary music",)),
    Word("mood", "romantic", ("sexy",), ("Wedding music",)),
    Word("mood", "party", ("party",), ()),
    Word("mood", "beautiful", ("beautiful",), ()),
    Word("mood", "catchy", ("catchy",), ()),
    Word("voice", "female voice", ("female vocalists", "female vocalist"), ("Female singing",)),
    Word("voice", "male voice", ("male vocalists",), ("Male singing",)),
    Word("voice", "choir", (), ("Choir",)),
    Word("voice", "a cappella", (), ("A capella",)),
    Word("voice", "rapping", (), ("Rapping",)),
    Word("voice", "instrumental", ("instrumental",), ()),
    Word("instrument", "electric guitar", (), ("Electric guitar",)),
    Word("instrument", "acoustic guitar", ("acoustic",), ("Acoustic guitar",)),
    Word("instrument", "guitar", ("guitar",), ("Guitar",)),
    Word("instrument", "bass guitar", (), ("Bass guitar",)),
    Word("instrument", "piano", (), ("Piano",)),
    Word("instrument", "organ", (), ("Organ", "Hammond organ")),
    Word("instrument", "synthesizer", (), ("Synthesizer",)),
    Word("instrument", "drums", (), ("Drum kit", "Drum")),
    Word("instrument", "drum machine", (), ("Drum machine",)),
    Word("instrument", "strings", (), ("String section", "Bowed string instrument")),
    Word("instrument", "violin", (), ("Violin, fiddle",)),
    Word("instrument", "cello", (), ("Cello",)),
    Word("instrument", "orchestra", (), ("Orchestra",)),
    Word("instrument", "brass", (), ("Brass instrument", "Trombone")),
    Word("instrument", "trumpet", (), ("Trumpet",)),
    Word("instrument", "saxophone", (), ("Saxophone",)),
    Word("instrument", "flute", (), ("Flute",)),
    Word("instrument", "harmonica", (), ("Harmonica",)),
    Word("instrument", "accordion", (), ("Accordion",)),
    Word("instrument", "harp", (), ("Harp",)),
    Word("instrument", "banjo", (), ("Banjo",)),
    Word("instrument", "bells", (), ("Bell", "Glockenspiel", "Tubular bells")),
    Word("instrument", "scratching", (), ("Scratching",)),
    Word("era", "60s", ("60s", "oldies"), ()),
    Word("era", "70s", ("70s",), ()),
    Word("era", "80s", ("80s",), ()),
    Word("era", "90s", ("90s",), ()),
    Word("era", "2000s", ("00s",), ()),
)  # fmt: skip
