"""The tags that a model may have, and the teachers' classes that mean them."""

from __future__ import annotations

from typing import Final, NamedTuple


class TagMeaning(NamedTuple):
    """A tag, and the names of the teachers' classes that mean it.

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


VOCABULARY: Final = (
    TagMeaning("style", "electronic", ("electronic", "electronica"), ("Electronic music", "Electronica")),
    TagMeaning("style", "house", ("house",), ("House music",)),
    TagMeaning("style", "techno", (), ("Techno",)),
    TagMeaning("style", "trance", (), ("Trance music",)),
    TagMeaning("style", "drum and bass", (), ("Drum and bass",)),
    TagMeaning("style", "dubstep", (), ("Dubstep",)),
    TagMeaning("style", "ambient", ("ambient",), ("Ambient music", "New-age music")),
    TagMeaning("style", "dance", ("dance",), ("Electronic dance music", "Dance music")),
    TagMeaning("style", "rap", ("hip-hop",), ("Hip hop music", "Rapping")),
    TagMeaning("style", "r&b", ("rnb",), ("Rhythm and blues",)),
    TagMeaning("style", "soul", ("soul",), ("Soul music",)),
    TagMeaning("style", "funk", ("funk",), ("Funk",)),
    TagMeaning("style", "gospel", (), ("Gospel music",)),
    TagMeaning("style", "punk", ("punk",), ("Punk rock",)),
    TagMeaning("style", "grunge", (), ("Grunge",)),
    TagMeaning("style", "indie", ("indie", "indie rock", "indie pop"), ("Independent music",)),
    TagMeaning("style", "alternative", ("alternative", "alternative rock"), ()),
    TagMeaning("style", "classic rock", ("classic rock",), ()),
    TagMeaning("style", "hard rock", ("hard rock",), ()),
    TagMeaning("style", "heavy metal", ("heavy metal", "metal"), ("Heavy metal",)),
    TagMeaning("style", "progressive rock", ("progressive rock",), ("Progressive rock",)),
    TagMeaning("style", "psychedelic rock", (), ("Psychedelic rock",)),
    TagMeaning("style", "folk", ("folk",), ("Folk music",)),
    TagMeaning("style", "bluegrass", (), ("Bluegrass",)),
    TagMeaning("style", "latin", (), ("Music of Latin America", "Salsa music")),
    TagMeaning("style", "flamenco", (), ("Flamenco",)),
    TagMeaning("style", "ska", (), ("Ska",)),
    TagMeaning("style", "swing", (), ("Swing music",)),
    TagMeaning("style", "opera", (), ("Opera",)),
    TagMeaning("style", "indian", (), ("Carnatic music", "Music of Bollywood")),
    TagMeaning("style", "middle eastern", (), ("Middle Eastern music",)),
    TagMeaning("style", "african", (), ("Music of Africa", "Afrobeat")),
    TagMeaning("style", "experimental", ("experimental",), ()),
    TagMeaning("style", "easy listening", ("easy listening",), ()),
    TagMeaning("style", "soundtrack", (), ("Soundtrack music", "Theme music")),
    TagMeaning("style", "video game", (), ("Video game music",)),
    TagMeaning("style", "children's", (), ("Music for children",)),
    TagMeaning("mood", "calm", ("mellow", "chill", "chillout"), ("Tender music", "Lullaby")),
    TagMeaning("mood", "sad", ("sad",), ("Sad music",)),
    TagMeaning("mood", "happy", ("happy",), ("Happy music",)),
    TagMeaning("mood", "energetic", (), ("Exciting music",)),
    TagMeaning("mood", "angry", (), ("Angry music",)),
    TagMeaning("mood", "scary", (), ("Scary music",)),
    TagMeaning("mood", "party", ("party",), ()),
    TagMeaning("mood", "beautiful", ("beautiful",), ()),
    TagMeaning("mood", "catchy", ("catchy",), ()),
    TagMeaning("voice", "female voice", ("female vocalists", "female vocalist"), ("Female singing",)),
    TagMeaning("voice", "male voice", ("male vocalists",), ("Male singing",)),
    TagMeaning("voice", "choir", (), ("Choir",)),
    TagMeaning("voice", "a cappella", (), ("A capella",)),
    TagMeaning("voice", "instrumental", ("instrumental",), ()),
    TagMeaning("instrument", "electric guitar", (), ("Electric guitar",)),
    TagMeaning("instrument", "acoustic guitar", ("acoustic",), ("Acoustic guitar",)),
    TagMeaning("instrument", "guitar", ("guitar",), ("Guitar",)),
    TagMeaning("instrument", "bass guitar", (), ("Bass guitar",)),
    TagMeaning("instrument", "piano", (), ("Piano",)),
    TagMeaning("instrument", "organ", (), ("Organ", "Hammond organ")),
    TagMeaning("instrument", "synthesizer", (), ("Synthesizer",)),
    TagMeaning("instrument", "drums", (), ("Drum kit", "Drum")),
    TagMeaning("instrument", "drum machine", (), ("Drum machine",)),
    TagMeaning("instrument", "strings", (), ("String section", "Bowed string instrument")),
    TagMeaning("instrument", "violin", (), ("Violin, fiddle",)),
    TagMeaning("instrument", "cello", (), ("Cello",)),
    TagMeaning("instrument", "orchestra", (), ("Orchestra",)),
    TagMeaning("instrument", "brass", (), ("Brass instrument", "Trombone")),
    TagMeaning("instrument", "trumpet", (), ("Trumpet",)),
    TagMeaning("instrument", "saxophone", (), ("Saxophone",)),
    TagMeaning("instrument", "flute", (), ("Flute",)),
    TagMeaning("instrument", "harmonica", (), ("Harmonica",)),
    TagMeaning("instrument", "accordion", (), ("Accordion",)),
    TagMeaning("instrument", "harp", (), ("Harp",)),
    TagMeaning("instrument", "banjo", (), ("Banjo",)),
    TagMeaning("instrument", "bells", (), ("Bell", "Glockenspiel", "Tubular bells")),
    TagMeaning("instrument", "scratching", (), ("Scratching",)),
    TagMeaning("era", "60s", ("60s", "oldies"), ()),
    TagMeaning("era", "70s", ("70s",), ()),
    TagMeaning("era", "80s", ("80s",), ()),
    TagMeaning("era", "90s", ("90s",), ()),
    TagMeaning("era", "2000s", ("00s",), ()),
)  # fmt: skip
