"""What people say of captions, and which of it holds: SQL over table `caption_reviews`.

A verdict is on words: on those that the captioner had written when the person looked (`reviewed`).
The last one on the same words holds, as long as the captions still have these words; once they are
written again, it says nothing of the new ones.
"""

from curation.tables import OK

VERDICTS = ("accept", "reject", "edit")

_LAST = "reviewed_at DESC, verdict DESC, caption, note, reviewer"
"""The order of verdicts, the last one first. What was said in the same microsecond has one too."""

SAID = f"""SELECT * FROM caption_reviews QUALIFY row_number()
    OVER (PARTITION BY clip_id, captioner, reviewed ORDER BY {_LAST}) = 1"""  # noqa: S608 - SQL of this module
"""The last verdict on each caption that was ever judged, past ones included."""

CAPTION_VERDICTS = f"""SELECT * FROM (
        SELECT s.*, c.clip_id IS NOT NULL AS holds
        FROM ({SAID}) AS s LEFT JOIN (FROM captions WHERE status = '{OK}') AS c
            ON c.clip_id = s.clip_id AND c.captioner = s.captioner AND c.caption = s.reviewed)
    QUALIFY row_number()
        OVER (PARTITION BY clip_id, captioner ORDER BY holds DESC, {_LAST}, reviewed) = 1"""  # noqa: S608
"""One row per clip and captioner: the last verdict on the caption that there is now, which `holds`;
or, where nobody has judged that one, the last on what was there before, which does not."""
