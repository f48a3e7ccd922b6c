"""Strings that tokenizers get wrong: the corpus of strings.txt, as bytes, some of them not UTF-8. Always the same."""

import random

SPECIAL = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|> <tool_call> "
    "</tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|>"
).split()
ADDED_TEXT = ("<tool_call>", "</tool_call>")  # matched as a whole, yet shown

LANGUAGES = """The quick brown fox jumps over the lazy dog, doesn't it?
Größenwahn führt selten weiter; Straße, Äpfel und Öl.
L'été dernier, j'ai vu l'œuvre d'un garçon naïf à Nîmes.
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia.
Zażółć gęślą jaźń, pchnąć w tę łódź jeża.
Příliš žluťoučký kůň úpěl ďábelské ódy.
Árvíztűrő tükörfúrógép nem robbant fel.
Pijamalı hasta yağız şoföre çabucak güvendi; İstanbul, ışık.
Tiếng Việt có rất nhiều dấu: ngựa, trường, nghĩa, đường phố.
Съешь же ещё этих мягких французских булок, да выпей чаю.
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ναι;
דג סקרן שט בים מאוכזב ולפתע מצא לו חברה. שָׁלוֹם
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق
قلب‌ها و کتاب‌های فارسی، ۱۲۳۴۵
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश
বাংলা ভাষায় লেখা কিছু কথা: কৌতূহল, য়, ড়, ো
யாதும் ஊரே யாவரும் கேளிர் தீதும் நன்றும் பிறர்தர வாரா
ทดสอบภาษาไทยที่ไม่มีช่องว่างระหว่างคำ น้ำ กำ
ພາສາລາວ ກໍ່ງ່າຍ
မြန်မာစာ စမ်းသပ်ခြင်း
ខ្ញុំអាចញ៉ាំកញ្ចក់បាន
བོད་སྐད་ཀྱི་ཡི་གེ།
いろはにほへと ちりぬるを。カタカナ、半角ｶﾀｶﾅ ﾊﾟﾋﾟ と「括弧」。
我能吞下玻璃而不伤身体。這是繁體中文，標點符號！𠮷野家 㐀 𪚥
다람쥐 헌 쳇바퀴에 타고파. ㅋㅋㅋ 한글 자모: ᄒᆞᆫ글
እኔ ብርጭቆ መብላት እችላለሁ።
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᚠᚢᚦᚨᚱᚲ ⲕⲟⲡⲧⲓⲕ ქართული ენა Հայերեն
Ⅻ ⅷ ① ⑳ ½ ¾ ² ³ ₂ ٣٤٥ ७८९ 一二三 〇 𝟘𝟙𝟚 𐄇 𒐕""".split("\n")

CODE = [
    "def f(x: int) -> int:\n    return x ** 2 if x >= 0 else -x  # done\n",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }\n",
    "#include <vector>\r\n#define MAX(a,b) ((a)>(b)?(a):(b))\r\n",
    "SELECT * FROM t WHERE a = 'it''s' AND b <> 10;",
    '{"key": [1, 2.5e-10, null, true], "s": "\\u00e9\\n"}',
    "<div class=\"a\">&nbsp;&lt;b&gt;</div><!-- c -->",
    "const f = async (x) => { await g(`${x}\\n`); };",
    "fn main() { println!(\"{:?}\", vec![1u8; 0xFF]); }",
    "\tif err != nil {\n\t\treturn nil, fmt.Errorf(\"x: %w\", err)\n\t}\n",
    "$ grep -rn 'foo|bar' . | awk '{print $1}' > /tmp/out 2>&1",
    "\\frac{\\partial^2 u}{\\partial x^2} = \\sum_{i=0}^{\\infty} a_i x^i",
    "user@example.com https://example.com/a?b=c&d=%20#frag 192.168.0.1:8080",
    "x=1;y=x+++x;z=~y^0b1010<<3>>>1;",
    "-----BEGIN-----\n====\n****\n////\n....\n",
    "a\tb\t\tc\t\t\td",
    "CamelCaseIdentifier snake_case_name SCREAMING_CASE kebab-case x1y2z3",
]

BLANKS = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\t\n\t", "\x0b", "\x0c", "\x85", "\xa0", "\u1680",
          "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u180e"]

# (text that NFC changes, or nearly)
COMBINING = [
    "e\u0301", "E\u0300\u0301", "o\u0308\u0304", "o\u0304\u0308", "a\u0323\u0302", "a\u0302\u0323", "\u1ea5", "\u212b", "\u2126", "\u212a",
    "\ufb01", "\u0340", "\u0341", "\u0343", "\u0344", "\u0374", "\u037e", "\u0387", "\u0958", "\u095f", "\u09dc", "\u09c7\u09be",
    "\u0b47\u0b3e", "\u0f43", "\u0f73", "\u0f71\u0f72", "\u1100\u1161", "\u1100\u1161\u11a8", "\uac00\u11a8", "\uac00\u11a7", "\u1100\u11a8", "\u3099",
    "\u304b\u3099", "\u30cf\u309a", "\u30cf\u3099\u309a", "\uf900", "\ufa30", "\U0002f800", "\U0001d15e", "\U0001d1bb", "\u2adc",
    "\u0041\u030a", "\u00c5\u0301", "q\u0307\u0323", "q\u0323\u0307", "s\u0323\u0307", "s\u0307\u0323", "\u1e9b\u0323", "\u1e69",
    "a\u0315\u0300\u05ae\u0300b", "\u05d0\u05b7\u05bc", "\u0627\u0653", "\u0626\u0654", "\u0915\u093c", "\u1b05\u1b35", "<\u0338", "=\u0338", ">\u0338",
    "\u0061\u0334\u0301", "\u0301", "\u0301\u0300a", " \u0301", "\n\u0301", "1\u0301", "'\u0301s", "\u200d", "a\u200db", "a\u034f\u0301",
    "\U00011938", "\U00011935\U00011930", "a\u0898\u0316", "a\U0001e4ec\u0316", "a\U00010efd\u0301", "\U000110a5\U000110ba", "\U000105c0\u0307",
]

EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "❤", "1️⃣", "#️⃣", "👩🏿‍🚀", "🫠", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "☺", "⏳", "🀄", "\U0001fae8",
         "\U0001f6dc", "©", "™", "▶️"]

BROKEN = [b"\xff", b"\xc0\xaf", b"\xe2\x82", b"\xe2\x82a", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
          b"\x80", b"\x80\x80\x80", b"\xc3", b"\xc3\x28", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xe2\x28\xa1", b"\xf0\x9f\x98\x80\x80", b"\xfe\xff",
          b"\xed\xaf\xbf\xed\xbf\xbf", b"\xf1\x80\x80", b"\xf1\x80\xe1\x80\xc2b\x80c\x80\xbfd", b"\x00", b"a\x00b", b"\xef\xbf\xbd"]

# Characters younger than the tables that tokenizers mostly carry.
YOUNG = ["\u1c89", "\ua7cb", "\ua7dc", "\U00010d41", "\U00010d4a", "\U00011380", "\U000116d1", "\U00013460", "\U000143fa", "\U0001ccf5",
         "\U0001e5d0", "\U0001e5f1", "\U0002ebf0", "\U0002ee5d", "\U00031350", "\U0001df25", "\U0001fbf0", "\u0870", "\u0cf3"]


def contractions():
    for apostrophe in ("'", "\u2019"):
        for ending in "s S t T m M d D re RE rE Re ve VE ll LL Ll r v l e x \u017f".split():
            for before in ("it", "", " ", "1", "."):
                for after in ("", "b", " b"):
                    yield f"{before}{apostrophe}{ending}{after}"


def blanks(rng):
    yield ""
    for a in BLANKS:
        yield a
        yield f"a{a}b"
        yield f"a{a}1"
        yield f"{a}!{a}"
        for b in rng.sample(BLANKS, 6):
            yield f"x{a}{b}y"
            yield f"{a}{b}"
    for length in (2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 300):
        for character in " \n\t":
            yield f"a{character * length}b"
        yield " " * length
        yield "\n" * length
        yield " " * length + "\n" + " " * length + "x"


def numbers(rng):
    for _ in range(60):
        digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 15)))
        yield rng.choice(["{}", "-{}", "{},000.00", "${}", "{}%", "x{}y", " {} ", "{}st", "0x{}", "{}:{}", "v{}.{}.{}"]).format(
            digits, digits[:2], digits[-1]
        )


def special(rng):
    for token in SPECIAL:
        yield token
        yield f"a{token}b"
        yield f"  {token}  "
        yield f"\n{token}\n"
        yield token[:-1]
        yield token[1:]
        yield token + token
        yield token.upper()
        yield f"e{token}\u0301"
    for _ in range(60):
        yield "".join(rng.choice(SPECIAL + ["x", " ", "\n", "<", "|", ">", "<|", "|>", "user", "e\u0301"]) for _ in range(8))
    yield "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    yield "<|fim_prefix|>def f():<|fim_suffix|>    return x<|fim_middle|>"


def pieces(rng):
    """Cuts of the languages and the code at any character."""
    for text in LANGUAGES + CODE:
        yield text
        for _ in range(7):
            start = rng.randrange(len(text))
            yield text[start : start + rng.randrange(1, 25)]
        words = text.split(" ")
        for _ in range(3):
            yield rng.choice([" ", "  ", "\n", "\t", "\u3000", "-", "\r\n"]).join(rng.choice(words) for _ in range(3))


def marks(rng):
    for text in COMBINING:
        yield text
        yield f"x{text}y {text}"
    for _ in range(120):
        base = rng.choice("aeiouAEOnszcg \u03b1\u0430\u05d0\u0627\u0915\u304b1!")
        yield base + "".join(chr(rng.choice([rng.randrange(0x300, 0x345), rng.randrange(0x5B0, 0x5BD), 0x93C, 0x3099, 0x323]))
                             for _ in range(rng.randrange(1, 6)))
    yield "a" + "\u0301\u0316" * 40 + "b"


def emoji(rng):
    for text in EMOJI:
        yield text
        yield f"a {text}{text}!"
    for _ in range(60):
        yield "".join(rng.choice(EMOJI + [" ", "a", "\u200d", "\ufe0f", "\U0001f3fd"]) for _ in range(5))


def mixtures(rng):
    alphabet = (list("aZ09'\u2019sStT.,!?-_(){}<>|/\\\"#@ ") + BLANKS + COMBINING + EMOJI + YOUNG
                + list("éßñçøåДжλωאبहあア中文한"))
    for _ in range(420):
        yield "".join(rng.choice(alphabet) for _ in range(rng.randrange(2, 14)))
    for first, last in [(0x20, 0x250), (0x370, 0x600), (0x900, 0xE00), (0x1E00, 0x2C00), (0x3000, 0x3400), (0xA000, 0xABFF), (0x10000, 0x11400),
                        (0x1F000, 0x1FA00), (0xE000, 0xE100)]:
        for _ in range(16):
            yield "".join(chr(rng.randrange(first, last)) for _ in range(rng.randrange(1, 9)))
    for text in YOUNG:
        yield text
        yield f"a{text}!{text} {text}"


def broken(rng):
    parts = BROKEN + ["a".encode(), " ".encode(), "é".encode(), "中".encode(), "😀".encode(), "<|im_end|>".encode()]
    yield from BROKEN
    for bad in BROKEN:
        yield b"x" + bad + b"y"
    for _ in range(100):
        yield b"".join(rng.choice(parts) for _ in range(rng.randrange(2, 6)))


def words():
    yield "a" * 33
    yield "ab" * 40
    yield "supercalifragilisticexpialidocious" * 3
    yield "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    yield "=" * 80
    yield "-=" * 40
    yield "中" * 40
    yield "ACGT" * 30
    yield "antidisestablishmentarianism's"


def all_strings():
    """[bytes], without repeats."""
    rng = random.Random(7)
    groups = [contractions(), blanks(rng), numbers(rng), special(rng), pieces(rng), marks(rng), emoji(rng), mixtures(rng), broken(rng), words()]
    strings = {}
    for group in groups:
        for text in group:
            strings[text if isinstance(text, bytes) else text.encode()] = None
    return list(strings)
