"""jiwer recomputes the word and character error rates of pairs of texts.

Takes a JSON file: a list of objects with `language`, `said`, `heard`, and our `words` and `characters`, each a rate or
null. The texts are normalised here once more, from Unicode's own categories, as docs/statistics says. Prints one JSON
object of facts; exits with 0 only if everything agreed.
"""

import json
import math
import pathlib
import sys
import unicodedata

import jiwer

# Scripts without spaces between words: each character is a word.
WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "THAI", "LAO", "MYANMAR", "KHMER")


def normalised(text):
    text = "".join(c for c in text.lower() if c not in "'\u2018\u2019\u02bc\uff07")
    out = []
    for c in text:
        kind = unicodedata.category(c)
        if kind[0] in "PSZC":
            out.append(" ")
        elif unicodedata.name(c, "").split(" ")[0] in WITHOUT_SPACES:
            out.append(f" {c} ")
        else:
            out.append(c)
    return " ".join("".join(out).split())


facts = {"pairs": 0, "languages": {}, "above_one": 0, "none": 0, "broken": []}
for pair in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    said, heard = normalised(pair["said"]), normalised(pair["heard"])
    facts["pairs"] += 1
    count = facts["languages"].setdefault(pair["language"], 0)
    facts["languages"][pair["language"]] = count + 1
    if not said:
        # jiwer counts insertions there; a rate needs something that was said.
        facts["none"] += 1
        if pair["words"] is not None or pair["characters"] is not None:
            facts["broken"].append(f"{pair}: nothing was said")
        continue
    for ours, theirs in ((pair["words"], jiwer.wer(said, heard)), (pair["characters"], jiwer.cer(said, heard))):
        facts["above_one"] += theirs > 1
        if ours is None or not math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12):
            facts["broken"].append(f"{pair}: {theirs} by jiwer")
facts["broken"] = facts["broken"][:5]
print(json.dumps(facts))
sys.exit(1 if facts["broken"] else 0)
