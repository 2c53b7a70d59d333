"""The Arrow schema of every table: one truth for stages, engine, queries, shards and docs.

Every field carries its documentation in its metadata, so that docs and the dataset card are made from it.
All columns but the keys are nullable: a `failed` row knows its id and its error and nothing else.
"""

import hashlib

import pyarrow as pa

OK, REJECTED, FAILED = "ok", "rejected", "failed"


def _field(name: str, kind: pa.DataType, doc: str) -> pa.Field:
    return pa.field(name, kind, metadata={"doc": doc})


STATE = [
    _field(
        "status",
        pa.string(),
        "`ok`, `rejected` (see `reason`) or `failed` (see `reason` and `error`)",
    ),
    _field(
        "reason",
        pa.string(),
        "the rule that rejected the row, or the class of its failure; null when `ok`",
    ),
    _field("error", pa.string(), "what went wrong, in words, for a `failed` row"),
    _field(
        "cpu_s", pa.float32(), "CPU-seconds that the row took, its confined child process included"
    ),
]
"""The columns that end every row a stage returns."""

FINGERPRINT = _field("fingerprint", pa.string(), "stage version and settings that made the row")
"""Added by the engine to every row it commits; rows of another fingerprint are work still to do."""

FAILURES = {
    "unreadable": "the file could not be listed, opened or fetched",
    "changed": "the file changed or vanished while the run was reading it",
    "not_a_file": "a FIFO, device, socket, directory or a link that leaves the input",
    "empty": "the file has no bytes",
    "not_media": "the content is no container or codec on the allow-list, whatever its name says",
    "no_video": "no video stream: audio only, or only cover art",
    "too_large": "the frame size or the declared length is over the limits, so it was never decoded",
    "no_frames": "not one frame could be decoded",
    "timeout": "decoding passed its time limit and was stopped",
    "memory": "decoding passed its memory limit and was stopped",
    "crash": "the process that did the work died",
    "frames": "a stored picture of the clip could not be decoded",
    "model": "a model gave no number or no caption for the clip",
    "server": "the caption server gave no usable answer",
    "storage": "the result could not be written",
    "bug": "an unexpected exception; please report it",
}
"""The closed set of `reason`s of a `failed` row."""

PROBE = [
    _field("container", pa.string(), "demuxer, such as `mov,mp4,m4a,3gp,3g2,mj2`"),
    _field("codec", pa.string(), "video codec, such as `h264`"),
    _field("width", pa.int32(), "display width in px, rotation and sample aspect applied"),
    _field("height", pa.int32(), "display height in px, rotation and sample aspect applied"),
    _field("coded_width", pa.int32(), "stored width in px"),
    _field("coded_height", pa.int32(), "stored height in px"),
    _field(
        "rotation_deg", pa.int16(), "clockwise turn that the container asks for: 0, 90, 180 or 270"
    ),
    _field("sample_aspect", pa.float64(), "width of a stored pixel over its height"),
    _field("fps", pa.float64(), "mean frames per second; null for an image"),
    _field(
        "num_frames", pa.int64(), "frames as declared or estimated by the container; 1 for an image"
    ),
    _field("duration_s", pa.float64(), "seconds; 0 for an image"),
    _field(
        "bit_rate",
        pa.int64(),
        "bits per second of the video, audio left out where the container tells",
    ),
    _field("pix_fmt", pa.string(), "stored pixel format, such as `yuv420p10le`"),
    _field("interlaced", pa.bool_(), "the first frames are flagged as interlaced"),
    _field("hdr", pa.bool_(), "PQ or HLG transfer"),
    _field("has_audio", pa.bool_(), "at least one audio stream"),
    _field(
        "num_video_streams", pa.int16(), "video streams that are no cover art; the largest is taken"
    ),
    _field("stream_index", pa.int16(), "index of the video stream that is taken"),
    _field("is_image", pa.bool_(), "a still image, treated as a video of one frame"),
]

CARRIED = [
    _field("licence", pa.string(), "licence, as the manifest states it"),
    _field("source", pa.string(), "where the video comes from, as the manifest states it"),
    _field("carried", pa.string(), "other manifest columns, as a JSON object"),
]

SOURCES = pa.schema(
    [
        _field("uri", pa.string(), "path or URI of one input file; non-UTF-8 bytes as `%XX`"),
        _field("size_bytes", pa.int64(), "size in bytes"),
        _field("modified", pa.string(), "ETag or modification time: a changed file is read again"),
        _field("video_id", pa.string(), "first 16 hex digits of `sha256`"),
        _field("sha256", pa.string(), "SHA-256 of the content"),
        *PROBE,
        *CARRIED,
        *STATE,
    ]
)
"""One row per input file: fetched once, hashed and probed. Key: `uri`."""

VIDEOS = pa.schema(
    [
        _field("video_id", pa.string(), "first 16 hex digits of the content's SHA-256"),
        _field("sha256", pa.string(), "SHA-256 of the content"),
        _field(
            "uris", pa.list_(pa.string()), "every path or URI at which the content was seen, sorted"
        ),
        _field("size_bytes", pa.int64(), "size in bytes"),
        *PROBE,
        _field("min_side_px", pa.int32(), "the smaller of `width` and `height`"),
        _field("aspect", pa.float64(), "`width` / `height`"),
        _field(
            "bits_per_pixel",
            pa.float64(),
            "bits per pixel per frame: `bit_rate` / (`fps` x pixels)",
        ),
        *CARRIED,
        *STATE,
    ]
)
"""One row per content, derived from `sources` by the metadata rules of the recipe. Key: `video_id`."""

CAMERA_STEP = pa.struct(
    [
        _field(
            "time_s", pa.float32(), "middle of the pair of frames, seconds from the clip's start"
        ),
        _field("pan", pa.float32(), "camera to the right, frame widths per second"),
        _field("tilt", pa.float32(), "camera upwards, frame heights per second"),
        _field("zoom", pa.float32(), "natural log of the scale change per second, positive is in"),
        _field("roll", pa.float32(), "camera clockwise, degrees per second"),
        _field(
            "residual",
            pa.float32(),
            "median distance of the vectors from the fit, frame heights per second",
        ),
        _field("inliers", pa.float32(), "share of the vectors that agree with the fit"),
        _field(
            "keystone",
            pa.float32(),
            "bend across the shift, frame heights per second at one height from the centre both ways: "
            "its speed by (frame height / focal length)^2 if the camera turns, 0 if it travels",
        ),
        _field("bend_x", pa.float32(), "growth of `zoom` to the right, per frame height: 0 if nothing but the lens zooms"),
        _field("bend_y", pa.float32(), "growth of `zoom` downwards, per frame height"),
        _field("ahead", pa.float32(), "mean speed beyond the fit and along it, frame heights per second: what is near, if the camera travels"),
        _field("behind", pa.float32(), "mean speed by which vectors fall short of the fit, frame heights per second"),
        _field("stray", pa.float32(), "mean speed across the fit, frame heights per second: noise, and subjects"),
        _field("middle_pan", pa.float32(), "`pan` by the median vector of the middle of the picture"),
        _field("middle_tilt", pa.float32(), "`tilt` by the median vector of the middle of the picture"),
        _field("around_pan", pa.float32(), "`pan` by the median vector around the middle, the lowest quarter left out"),
        _field("around_tilt", pa.float32(), "`tilt` by the median vector around the middle, the lowest quarter left out"),
        _field("lower_pan", pa.float32(), "`pan` by the median vector of the lowest quarter of the picture"),
        _field("lower_tilt", pa.float32(), "`tilt` by the median vector of the lowest quarter of the picture"),
        _field("subject_share", pa.float32(), "share of the area with vectors that departs from the fit: what moves on its own, if the camera does not travel"),
        _field("subject_x", pa.float32(), "its middle, frame widths to the right of the centre"),
        _field("subject_y", pa.float32(), "its middle, frame heights above the centre"),
        _field("subject_right", pa.float32(), "its mean motion less the camera's, to the right, frame widths per second"),
        _field("subject_up", pa.float32(), "its mean motion less the camera's, upwards, frame heights per second"),
    ]
)

MEASURES = [
    _field(
        "motion_vmaf",
        pa.float32(),
        "mean VMAF motion feature over the sampled pairs of neighbouring frames",
    ),
    _field(
        "motion_vector_px",
        pa.float32(),
        "mean length of the motion vectors, px per frame, at stored size",
    ),
    _field(
        "motion_coverage", pa.float32(), "share of the picture whose vector is 1/4 px or longer"
    ),
    _field(
        "motion_vector_source", pa.string(), "`codec`, or `estimated` where the codec exports none"
    ),
    _field("camera_pan", pa.float32(), "median of the camera path's `pan`"),
    _field("camera_tilt", pa.float32(), "median of the camera path's `tilt`"),
    _field("camera_zoom", pa.float32(), "median of the camera path's `zoom`"),
    _field("camera_roll", pa.float32(), "median of the camera path's `roll`"),
    _field(
        "camera_residual",
        pa.float32(),
        "median of the camera path's `residual`: motion that is not the camera's",
    ),
    _field(
        "camera_shake",
        pa.float32(),
        "RMS of the path's departure from its own smooth version, frame heights",
    ),
    _field(
        "shots_per_s",
        pa.float32(),
        "cuts that the shake-sensitive detector sees around the clip, per second",
    ),
    _field("frozen_share", pa.float32(), "share of frames in runs of 0.5 s or more without change"),
    _field(
        "repeated_share",
        pa.float32(),
        "share of frames that repeat the one before, frozen runs left out",
    ),
    _field(
        "slideshow_share",
        pa.float32(),
        "share of time that is a still, or a still moved by pan and zoom alone",
    ),
    _field(
        "sharpness", pa.float32(), "0 (no detail left) to 1 (pixel-sharp), see `signals/picture.py`"
    ),
    _field("luma_mean", pa.float32(), "mean luma, 0 to 1"),
    _field("dark_share", pa.float32(), "share of pixels below 5 % of the luma range"),
    _field("bright_share", pa.float32(), "share of pixels above 95 % of the luma range"),
    _field("contrast", pa.float32(), "standard deviation of luma, 0 to 0.5"),
    _field("colourfulness", pa.float32(), "Hasler and Suesstrunk 2003, 0 (grey) to about 110"),
    _field(
        "border_share",
        pa.float32(),
        "share of the picture outside `content_*`: black or coloured bars",
    ),
    _field("content_x", pa.int32(), "left edge of the picture inside the borders, display px"),
    _field("content_y", pa.int32(), "top edge of the picture inside the borders, display px"),
    _field("content_width", pa.int32(), "width of the picture inside the borders, display px"),
    _field("content_height", pa.int32(), "height of the picture inside the borders, display px"),
]
"""What the decode pass measures of each clip."""

MOTION_MEASURES = frozenset(
    {
        "duration_s", "fps", "bits_per_pixel",
        "motion_vmaf", "motion_vector_px", "motion_coverage",
        "camera_pan", "camera_tilt", "camera_zoom", "camera_roll", "camera_residual", "camera_shake",
        "shots_per_s", "frozen_share", "repeated_share", "slideshow_share",
    }
)  # fmt: skip
"""Measures that mean nothing for a single picture: rules on them do not apply to images."""

CLIP = pa.struct(
    [
        _field("clip_id", pa.string(), "`video_id`-`start_frame`-`num_frames`"),
        _field("start_frame", pa.int64(), "index of the first frame in presentation order"),
        _field("num_frames", pa.int32(), "frames of the source that the clip spans"),
        _field(
            "start_s",
            pa.float64(),
            "presentation time of the first frame, seconds from the first frame of the video",
        ),
        _field("end_s", pa.float64(), "presentation time at which the last frame ends"),
        _field("duration_s", pa.float64(), "`end_s` - `start_s`; 0 for an image"),
        _field("shot_start_s", pa.float64(), "start of the shot that holds the clip"),
        _field("shot_end_s", pa.float64(), "end of the shot that holds the clip"),
        _field("cut_before", pa.string(), "what begins the shot: `start`, `cut`, `dissolve` or `fade`"),
        _field("cut_after", pa.string(), "what ends the shot: `end`, `cut`, `dissolve` or `fade`"),
        *MEASURES,
        _field("camera_path", pa.list_(CAMERA_STEP), "camera motion over the clip"),
    ]
)

FRAME = pa.struct(
    [
        _field(
            "time_s", pa.float64(), "presentation time, seconds from the first frame of the video"
        ),
        _field("jpeg", pa.binary(), "the frame as JPEG, upright and with square pixels"),
    ]
)

CLIPS = pa.schema(
    [
        _field("video_id", pa.string(), "the video"),
        _field("clips", pa.list_(CLIP), "the clips of the video, in time order; possibly none"),
        _field(
            "frames",
            pa.list_(pa.list_(FRAME)),
            "the sampled frames of each clip, in the order of `clips`",
        ),
        _field(
            "cuts",
            pa.list_(
                pa.struct(
                    [
                        _field("time_s", pa.float64(), "time"),
                        _field("kind", pa.string(), "`cut`, `dissolve` or `fade`"),
                    ]
                )
            ),
            "every shot boundary found: the time at which the next shot starts",
        ),
        _field("decoded_frames", pa.int64(), "frames decoded"),
        _field("decode_failures", pa.int64(), "packets or frames that the decoder gave up on"),
        _field("decoded_s", pa.float64(), "length of the video by its presentation times, seconds"),
        _field("peak_memory_bytes", pa.int64(), "peak resident memory of the process that decoded"),
        *STATE,
    ]
)
"""One row per video: the one decode pass. Key: `video_id`."""

SCORES = pa.schema(
    [
        _field("clip_id", pa.string(), "the clip"),
        _field("video_id", pa.string(), "its video"),
        _field(
            "models", pa.list_(pa.string()), "`name:version` of every model that looked at the clip"
        ),
        _field(
            "copy_embedding",
            pa.list_(pa.list_(pa.float32())),
            "SSCD embedding of each stored frame, 512 numbers of length 1, to half precision",
        ),
        _field(
            "concept_embedding",
            pa.list_(pa.float32()),
            "what is seen, as a direction of length 1: mean over the frames; only of one model can two be compared",
        ),
        _field(
            "concept_labels",
            pa.list_(
                pa.struct([_field("label", pa.string(), "name"), _field("score", pa.float32(), "probability, 0 to 1")])
            ),
            "what is seen, in the words of the concept model: at most 5, best first",
        ),
        _field(
            "attributes",
            pa.list_(
                pa.struct([
                    _field("kind", pa.string(), "`shot size`, `place` or `time of day`"),
                    _field("value", pa.string(), "the likeliest of its kind, such as `close-up`"),
                    _field("score", pa.float32(), "its probability among those of its kind, 0 to 1"),
                ])
            ),
            "how and where the clip was taken, by open_clip",
        ),
        _field("people", pa.float32(), "probability that people are seen, by open_clip, highest of the frames, 0 to 1"),
        _field("aesthetic", pa.float32(), "LAION's aesthetic predictor on the middle frame, about 1 to 10"),
        _field("nsfw", pa.float32(), "probability that a frame is unsafe (Open-NSFW: nudity), highest of the frames, 0 to 1"),
        _field(
            "text_share",
            pa.float32(),
            "share of the picture that lines of text cover, in the frame that has most, 0 to 1",
        ),
        _field(
            "text_score",
            pa.float32(),
            "detection times recognition score of the surest line of text of any frame, 0 to 1",
        ),
        _field(
            "text",
            pa.string(),
            "what is written, a line each, first what is there longest; empty if none is read",
        ),
        _field(
            "text_lines",
            pa.list_(
                pa.struct([
                    _field("text", pa.string(), "the line"),
                    _field("score", pa.float32(), "detection times recognition score of its surest reading, 0 to 1"),
                ])
            ),
            "the first 16 lines of `text`, with how sure each is",
        ),
        _field(
            "quality_brisque",
            pa.float32(),
            "technical quality by BRISQUE, the median of the frames: about 0 is good, 100 bad; null if all are flat",
        ),
        _field(
            "quality_index",
            pa.float32(),
            "how clean the picture is, 0 to 100, higher is better: from BRISQUE, noise, sharpness, contrast and colourfulness; the median of the frames",
        ),
        _field("quality", pa.float32(), "technical quality by the class that the recipe names, on that class's scale"),
        *STATE,
    ]
)
"""One row per clip that the rules on its measures left, or that is in the audit share. Key:
`clip_id`."""

SELECTION = pa.schema(
    [
        _field("subset", pa.string(), "the subset of the recipe"),
        _field("clip_id", pa.string(), "the clip"),
        _field("video_id", pa.string(), "its video"),
        _field("status", pa.string(), "`ok` (kept) or `rejected`"),
        _field(
            "reason",
            pa.string(),
            "the first rule that rejected it; `<rule>:unscored` where its measure is missing",
        ),
        _field(
            "audit",
            pa.bool_(),
            "rejected, but in the seeded share that later stages process all the same",
        ),
        _field("duplicate_of", pa.string(), "the clip that was kept in its place; for `duplicate`"),
        _field("cosine", pa.float32(), "how alike the two are: mean cosine of the better half of their best matching frames"),
        _field("phrase", pa.string(), "of what retrieved it, the phrase it is nearest to"),
        _field("concept_id", pa.int32(), "concept cluster"),
        _field("weight", pa.float32(), "sampling weight for training"),
        _field("copies", pa.int32(), "times the clip is repeated where weights are not supported"),
        FINGERPRINT,
    ]
)
"""One row per (subset, clip): derived from `clips`, `scores`, `reviews` and the recipe."""

CONCEPTS = pa.schema(
    [
        _field("concept_id", pa.int32(), "the concept; 0 was the largest when they were found"),
        _field("name", pa.string(), "its nearest label or labels; no two concepts share a name"),
        _field("size", pa.int64(), "clips of the concept that any subset keeps"),
        _field("found_size", pa.int64(), "clips of the concept when the concepts were found"),
        _field("centroid", pa.list_(pa.float32()), "mean direction of its clips, of length 1"),
        _field("x", pa.float32(), "place on the map, -1 to 1, fixed when the concepts were found"),
        _field("y", pa.float32(), "place on the map, -1 to 1, fixed when the concepts were found"),
        _field(
            "subsets",
            pa.list_(
                pa.struct(
                    [
                        _field("subset", pa.string(), "the subset"),
                        _field("size", pa.int64(), "its clips of the concept, before resampling"),
                        _field("resampled_size", pa.float64(), "the sum of their weights, after"),
                    ]
                )
            ),
            "what each subset has of the concept",
        ),
        FINGERPRINT,
    ]
)
"""One row per concept, over all subsets. Key: `concept_id`."""

REVIEWS = pa.schema(
    [
        _field("subset", pa.string(), "the subset that the clip was looked at for"),
        _field("clip_id", pa.string(), "the clip"),
        _field("verdict", pa.string(), "`keep` or `drop`"),
        _field("note", pa.string(), "what the reviewer wrote"),
        _field("reviewer", pa.string(), "who looked, as the import was told"),
        _field("reviewed_at", pa.timestamp("us", tz="UTC"), "when the verdict was imported"),
    ]
)
"""One row per (subset, clip) that a person has judged: the last verdict on it."""

CAPTION_FLAGS = {
    "empty": "there is no word in it",
    "too_short": "fewer than 4 words",
    "too_long": "more words than `captioning.max_words`",
    "truncated": "it stops in the middle of a sentence",
    "repeats": "the same words again and again",
    "prompt_echo": "it repeats its prompt",
    "refusal": "the model declines, or speaks of itself",
    "wrong_language": "not English, what is quoted from the screen left out",
    "mentions_medium": "it speaks of a video or of frames, where that could not be taken out",
    "markup": "leftovers of Markdown, HTML, JSON or a chat format",
    "control_characters": "control or direction characters had to be taken out",
    "contradicts_camera": "it has the camera move otherwise than was measured with confidence",
    "contradicts_text": "it quotes words that were not read on screen, or denies those that were",
    "contradicts_colour": "black and white where there is colour, or the reverse",
    "contradicts_stillness": "it tells of action where nothing moves",
}
"""The closed set of what may be wrong with a caption."""

CAPTIONS = pa.schema(
    [
        _field("clip_id", pa.string(), "the clip"),
        _field("video_id", pa.string(), "its video"),
        _field("captioner", pa.string(), "the captioner, as the recipe calls it"),
        _field("model", pa.string(), "`name:version` of the model that wrote it"),
        _field("prompt_version", pa.string(), "name and hash of the prompt"),
        _field("caption", pa.string(), "the description, one line, without camera prefix and `FPS-N`"),
        _field("origin", pa.string(), "`model` (it saw the frames), `built` (from facts), or `rewritten` (built, then put into other words)"),
        _field("camera", pa.string(), "camera motion, one of the paper's 16 classes; null for an image"),
        _field("camera_confidence", pa.float32(), "how sure that is, 0 to 1"),
        _field("flags", pa.list_(pa.string()), "what is wrong with it, see below; empty if nothing is"),
        _field("attempts", pa.int16(), "captions that were made for this one to be kept"),
        _field("num_tokens", pa.int32(), "tokens that a model made for all of them"),
        _field("facts", pa.list_(pa.string()), "what a grounded caption rests on: kind and numbers"),
        *STATE,
    ]
)
"""One row per clip that the captioner was given, table `captions/<captioner>`. Key: `clip_id`."""

CAPTION_REVIEWS = pa.schema(
    [
        _field("clip_id", pa.string(), "the clip"),
        _field("captioner", pa.string(), "whose caption was judged, as the recipe calls it"),
        _field("verdict", pa.string(), "`accept`, `reject` or `edit`"),
        _field("caption", pa.string(), "what the person wrote in its place; null unless `edit`"),
        _field("reviewed", pa.string(), "the captioner's words that were judged: of any others the verdict says nothing"),
        _field("note", pa.string(), "what the reviewer remarked"),
        _field("reviewer", pa.string(), "who looked"),
        _field("reviewed_at", pa.timestamp("us", tz="UTC"), "when the verdict was stored"),
    ]
)
"""One row per verdict of a person on a caption; rows are added and never changed. Of those on the
same words the last holds (view `caption_verdicts`)."""

SHARD = pa.schema(
    [
        _field("clip_id", pa.string(), "the clip"),
        _field("video_id", pa.string(), "the video it was cut from"),
        _field("subset", pa.string(), "the subset of the recipe"),
        _field("video", pa.binary(), "the encoded clip: MP4 with H.264, or JPEG for an image"),
        _field("video_sha256", pa.string(), "SHA-256 of `video`"),
        _field(
            "bucket",
            pa.string(),
            "`<aspect>-<num_frames>`, such as `16:9-128`: all its samples have one shape",
        ),
        _field("num_frames", pa.int32(), "frames in `video`, fixed by the bucket"),
        _field("width", pa.int32(), "px, fixed by the bucket"),
        _field("height", pa.int32(), "px, fixed by the bucket"),
        _field(
            "fps",
            pa.float32(),
            "frames per second of `video`: `num_frames` / its seconds of source",
        ),
        _field("prompt", pa.string(), "what training reads: `fps_token`, `camera_prefix` and `caption`, those that there are"),
        _field("fps_token", pa.string(), "`FPS-N`, for the prompt; null for an image"),
        _field("camera_prefix", pa.string(), "camera motion as a sentence, such as `Pan right.`; null where it is not sure"),
        _field("caption", pa.string(), "the description that was current when the sample was written; tables `captions` and `caption_reviews` are the authority"),
        _field("captioner", pa.string(), "who wrote it, or what a person made it of, as the recipe calls it"),
        _field("prompt_version", pa.string(), "name and hash of the prompt it was written with; `edited` where a person wrote it"),
        _field("caption_flags", pa.list_(pa.string()), "what is wrong with it; empty where a person accepted or wrote it"),
        _field("start_s", pa.float64(), "start of the taken range in the source"),
        _field("end_s", pa.float64(), "end of the taken range in the source"),
        _field("weight", pa.float32(), "sampling weight for training"),
        _field("uri", pa.string(), "a path or URI of the source"),
        _field("source_sha256", pa.string(), "SHA-256 of the source"),
        _field("source_width", pa.int32(), "display width of the source, px"),
        _field("source_height", pa.int32(), "display height of the source, px"),
        _field("source_fps", pa.float64(), "mean frames per second of the source"),
        *CARRIED,
        *MEASURES,
        *STATE,
    ]
)
"""One row per training sample, the files of `shards/<subset>`. Key: `clip_id`."""

LATENT_TEXT = pa.struct(
    [
        _field("name", pa.string(), "the text encoder, as the recipe calls it"),
        _field("values", pa.binary(), "what it makes of `prompt`: little-endian, in C order"),
        _field("shape", pa.list_(pa.int32()), "tokens, width; or bytes alone"),
        _field("dtype", pa.string(), "`float16`, or `uint8` for bytes"),
    ]
)

LATENTS = pa.schema(
    [
        _field("clip_id", pa.string(), "the clip"),
        _field("video_id", pa.string(), "the video it was cut from"),
        _field("subset", pa.string(), "the subset of the recipe"),
        _field("video_sha256", pa.string(), "SHA-256 of the sample that was encoded"),
        _field("prompt", pa.string(), "the sample's, with the `FPS-N` of the frames that were taken"),
        _field("fps", pa.float32(), "frames per second of those; null for an image"),
        _field("num_frames", pa.int32(), "frames that were encoded"),
        _field("width", pa.int32(), "px of what was encoded"),
        _field("height", pa.int32(), "px of what was encoded"),
        _field("latent", pa.binary(), "the frames, encoded: float16, little-endian, in C order, standardised per channel"),
        _field("latent_shape", pa.list_(pa.int32()), "channels, frames, rows, columns"),
        _field("image_latent", pa.binary(), "the middle frame, encoded as an image, like `latent`; null for an image"),
        _field("image_shape", pa.list_(pa.int32()), "likewise"),
        _field("text", pa.list_(LATENT_TEXT), "what each text encoder makes of `prompt`"),
        _field("encoder_hash", pa.string(), "names the autoencoder, the text encoders and every setting that the arrays depend on; equal in all rows"),
        _field("latent_mean", pa.list_(pa.float32()), "mean of each channel, which was taken away"),
        _field("latent_std", pa.list_(pa.float32()), "standard deviation of each channel, by which was divided"),
        _field("weight", pa.float32(), "sampling weight for training, when the row was made"),
        CARRIED[1],
        CARRIED[0],
        _field("captioner", pa.string(), "who wrote the caption, as the recipe calls it"),
        *STATE,
    ]
)
"""One row per training sample, encoded, the files of `latents/<subset>`. Key: `clip_id`."""

TABLES: dict[str, pa.Schema] = {
    "sources": SOURCES,
    "videos": VIDEOS,
    "clips": CLIPS,
    "scores": SCORES,
    "selection": SELECTION,
    "reviews": REVIEWS,
    "concepts": CONCEPTS,
    "captions": CAPTIONS,
    "caption_reviews": CAPTION_REVIEWS,
    "shards": SHARD,
    "latents": LATENTS,
}


def video_id(sha256: str) -> str:
    """The id of the content with this SHA-256: its first 16 hex digits."""
    return sha256[:16]


def clip_id(video: str, start_frame: int, num_frames: int) -> str:
    """The id of a range of frames of a video, the same in every run that finds the same range."""
    return f"{video}-{start_frame}-{num_frames}"


def content_sha256(content: bytes) -> str:
    """SHA-256 of the bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def full_prompt(fps_token: str | None, camera_prefix: str | None, caption: str | None) -> str | None:
    """What training reads of a sample, such as `FPS-16 Pan right. A grey rabbit …`.

    Without a caption there is no prompt: a token and a prefix alone describe nothing.
    """
    if not caption:
        return None
    return " ".join(part for part in (fps_token, camera_prefix, caption) if part)


def failed_row(
    schema: pa.Schema, key: dict[str, str], reason: str, error: str, cpu_s: float = 0.0
) -> pa.Table:
    """One row of `schema` that knows its key, its class of failure and its error, and nothing else."""
    assert reason in FAILURES, reason
    row = {**key, "status": FAILED, "reason": reason, "error": error[:2000], "cpu_s": cpu_s}
    return pa.Table.from_pylist([row], schema=schema)
