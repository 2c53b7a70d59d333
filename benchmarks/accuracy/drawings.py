"""Things that are known as well drawn as photographed, under ImageNet's names."""

import math
from collections.abc import Callable

import cv2
import numpy as np

Picture = np.ndarray

HEIGHT, WIDTH = 360, 640
INK = (20, 20, 20)


def sheet(red: int, green: int, blue: int) -> Picture:
    """A sheet of one colour."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = (red, green, blue)
    return picture


def write(picture: Picture, text: str, x: int, y: int) -> None:
    """Writes into the picture, from its lower left corner on."""
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, 0.9, INK, 2, cv2.LINE_AA)


def clock() -> Picture:
    """A clock with hands and numbers."""
    picture = sheet(200, 190, 170)
    middle = (WIDTH // 2, HEIGHT // 2)
    cv2.circle(picture, middle, 150, (250, 250, 250), -1, cv2.LINE_AA)
    cv2.circle(picture, middle, 150, INK, 10, cv2.LINE_AA)
    for hour in range(1, 13):
        angle = math.radians(hour * 30 - 90)
        x, y = (
            round(m + 120 * f(angle)) for m, f in zip(middle, (math.cos, math.sin), strict=True)
        )
        write(picture, str(hour), x - 12, y + 10)
    cv2.line(picture, middle, (middle[0], middle[1] - 90), INK, 5, cv2.LINE_AA)
    cv2.line(picture, middle, (middle[0] + 65, middle[1] + 35), INK, 8, cv2.LINE_AA)
    return picture


def crossword() -> Picture:
    """A page of a crossword, half filled."""
    picture, random = sheet(255, 255, 255), np.random.default_rng(4)
    for y in range(0, HEIGHT, 40):
        for x in range(0, WIDTH, 40):
            kind, letter = random.random(), chr(65 + random.integers(26))
            cv2.rectangle(picture, (x, y), (x + 40, y + 40), INK, -1 if kind < 0.25 else 1)
            if kind > 0.4:
                write(picture, letter, x + 10, y + 30)
    return picture


def ball() -> Picture:
    """A tennis ball on grass."""
    picture, seam = sheet(40, 90, 50), (245, 245, 245)
    cv2.circle(picture, (320, 180), 120, (205, 225, 60), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (200, 180), (100, 110), 0, -60, 60, seam, 8, cv2.LINE_AA)
    cv2.ellipse(picture, (440, 180), (100, 110), 0, 120, 240, seam, 8, cv2.LINE_AA)
    return picture


def abacus() -> Picture:
    """Beads on rods in a frame."""
    picture, colours = sheet(230, 220, 200), [(200, 30, 30), (30, 90, 200), (240, 190, 20)]
    cv2.rectangle(picture, (80, 30), (560, 330), (120, 70, 30), 16)
    for row in range(6):
        y, moved = 70 + row * 44, row * 53 % 120
        cv2.line(picture, (80, y), (560, y), (90, 90, 90), 4)
        for bead in range(7):
            x = 120 + bead * 36 + (moved if bead > 3 else 0)
            cv2.circle(picture, (x, y), 17, colours[row % 3], -1, cv2.LINE_AA)
    return picture


DRAWINGS: dict[str, Callable[[], Picture]] = {
    "analog clock": clock,
    "crossword puzzle": crossword,
    "tennis ball": ball,
    "abacus": abacus,
}
