import pytest

from captioning.cleaning import cleaned


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The video shows a man running.", "A man running."),
        ("This short clip depicts a dog.", "A dog."),
        ("In this video, a cat sleeps.", "A cat sleeps."),
        ("In the video, the footage shows a red car.", "A red car."),
        ("The scene begins with a sunrise.", "A sunrise."),
        ("Sure! Here is the description: A boat sails.", "A boat sails."),
        ("Here is a caption for it: A boat sails.", "A boat sails."),
        ("Caption: a boat sails.", "A boat sails."),
        ("We can see two birds.", "Two birds."),
        ('"A dog runs."', "A dog runs."),
        ("\u201cA dog runs.\u201d", "A dog runs."),
        (
            '"STOP" is written on a sign that says "STOP"',
            '"STOP" is written on a sign that says "STOP"',
        ),
        ("  A dog\n\nruns.\t", "A dog runs."),
        ("A dog sits. In the first frame, it looks up.", "A dog sits. At first, it looks up."),
        ("It stops in the last frame.", "It stops in the end."),
        ("Rain falls throughout the video.", "Rain falls throughout."),
        ("As the video progresses, it grows dark.", "As time goes on, it grows dark."),
        ("The man in the video smiles.", "The man smiles."),
        ("Sure-footed goats climb in single file: the smallest comes last.",) * 2,
        ("Sure enough, the dog comes back! It drops the stick.",) * 2,
        ("Here's a quiet street at dawn! A cat crosses it.",) * 2,
        ("A framed picture displays a ship in a storm.",) * 2,
        ("The wooden frame features carved leaves.",) * 2,
        ("In the picture on the wall, a ship sails.",) * 2,
        ("In the frame of the door stands a man.",) * 2,
        ("She laughs during the video call with her mother.",) * 2,
        ("The character in the video game jumps.",) * 2,
        ("The scene shows that the river has risen.",) * 2,
        ("A photo of a cat hangs on a wall.", "A photo of a cat hangs on a wall."),
    ],
)
def test_what_is_said_of_the_medium_is_taken_out(said: str, kept: str) -> None:
    assert cleaned(said).text == kept
    assert not cleaned(said).had_control_characters


def test_an_opening_phrase_that_is_all_there_is_stays() -> None:
    assert cleaned("The video shows ").text == "The video shows"
    assert cleaned("").text == ""


def test_control_and_direction_characters_are_taken_out_and_told() -> None:
    found = cleaned("A dog\x00 ru\u202ens.\u200b")
    assert found == ("A dog runs.", True)
    assert cleaned("A dog\r\nruns.") == ("A dog runs.", False)
    assert cleaned("One.\x85Two\x0bthree.") == ("One. Two three.", False)


def test_cleaning_again_changes_nothing() -> None:
    for said in ("The video shows a man. In the final frame, he waves.", '"The clip shows rain."'):
        once = cleaned(said).text
        assert cleaned(once).text == once
