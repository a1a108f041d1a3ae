"""Spanish texts as they are read aloud."""

from __future__ import annotations

import pytest

from voicegw.agents.speakable import Gender, speakable, spoken_money
from voicegw.agents.speakable.spanish import cardinal, ordinal


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("1.200,50 € o 21 €", "mil doscientos euros con cincuenta céntimos o veintiún euros"),
        ("3 millones €, 1 £", "tres millones de euros, una libra"),
        ("Llame al 612 345 678", "Llame al seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("El 5/3/2026 a las 15:30 h", "El cinco de marzo de dos mil veintiséis a las quince treinta"),
        ("el 1 de mayo de 2024", "el primero de mayo de dos mil veinticuatro"),
        ("200 personas, 1 mesa, 21 mesas", "doscientas personas, una mesa, veintiuna mesas"),
        ("1 libro, marque 1 para ventas", "un libro, marque uno para ventas"),
        ("El 3.er piso, la 2ª vez, el 1º", "El tercer piso, la segunda vez, el primero"),
        ("20 %, 20°C, 3,14", "veinte por ciento, veinte grados Celsius, tres coma catorce"),
        ("Sr. López, p. ej. en EE. UU.", "señor López, por ejemplo en Estados Unidos."),
        ("n.º 5, c/ Mayor 3", "número cinco, calle Mayor tres"),
        ("ana_b@ejemplo.es", "ana guion bajo b arroba ejemplo punto E S"),
        ("a las 21:05 p. m.", "a las veintiuna cero cinco de la tarde."),
    ],
)
def test_texts(text: str, spoken: str) -> None:
    assert speakable(text, "es-MX") == spoken


def test_number_words() -> None:
    assert [cardinal(n) for n in (0, 16, 100, 101, 1000, 1_000_000)] == [
        "cero", "dieciséis", "cien", "ciento uno", "mil", "un millón",
    ]  # fmt: skip
    assert cardinal(21_231, Gender.FEMININE) == "veintiuna mil doscientas treinta y una"
    assert cardinal(21_000) == "veintiún mil"
    assert cardinal(2_000_000_000) == "dos mil millones"
    assert ordinal(21, Gender.FEMININE) == "vigésima primera"
    assert ordinal(3, Gender.MASCULINE) == "tercer"
    assert spoken_money("1", "MXN", "es") == "un peso"
