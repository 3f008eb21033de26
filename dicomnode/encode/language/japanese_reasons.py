"""Reasons, notes and names that other rooms give in English, in Japanese. Not reviewed by a native clinician."""

JAPANESE_REASONS: dict[str, str] = {
    # why a series is no volume
    "{keyword} is missing or unusable: the position of the images is not known": (
        "{keyword}がないか使用できないため、画像の位置が不明です。"
    ),
    "a slice is missing: no image between {after} and {before} mm along the stack": (
        "法線方向の{after} mmから{before} mmの間のスライスがありません。"
    ),
    "slice gaps run from {smallest} to {largest} mm; at most {allowed} mm off the median": (
        "スライス間隔が{smallest}～{largest} mmと不均一です（許容される中央値との差は{allowed} mmまで）。"
    ),
    "{images} images lie at {at} mm along the stack: several volumes in one series": (
        "法線方向{at} mmの位置に{images}画像があります。1シリーズに複数のボリュームが含まれています。"
    ),
    "stacked {tilt}° off the slice normal; the model takes at most {limit}°": (
        "スライスの積層方向が法線から{tilt}°傾いています（モデルの許容は{limit}°まで）。"
    ),
    "images of the series lie at {angle}° to each other": "シリーズ内の画像が互いに{angle}°傾いています。",
    "images of the series differ in size: {one} and {other}": (
        "シリーズ内の画像の大きさが異なります：{one}と{other}。"
    ),
    "instance {uid} cannot be read: {reason}": "インスタンス{uid}を読み取れません：{reason}",
    "instance {uid} has no pixel data": "インスタンス{uid}に画素データがありません。",
    "the series has {count} frames of reference: its images cannot be placed in one volume": (
        "シリーズに{count}個の基準座標系があり、1つのボリュームに配置できません。"
    ),
    "the image has {rows} rows and {columns} columns": "画像の大きさが{rows}行{columns}列です。",
    "pixels in transfer syntax {syntax} cannot be decoded: {reason}": (
        "転送構文{syntax}の画素データを復号できません：{reason}"
    ),
    "{count} images (or frames) where the model takes one": (
        "モデルの入力は1画像ですが、{count}画像（フレーム）があります。"
    ),
    "no series is a crop of 80 mm or less": "80 mm以下に切り出されたシリーズがありません。",
    "the prior study could not be fetched, nothing is compared: {reason}": (
        "過去検査を取得できなかったため、比較はありません：{reason}"
    ),
    # why an image lies outside the domain
    "the patient's age is {age}; evaluated on {span}": "患者の年齢は{age}です（評価範囲は{span}）。",
    "the patient's age is unknown; evaluated on {span}": "患者の年齢が不明です（評価範囲は{span}）。",
    "the patient's age is contradictory ({contradiction}); evaluated on {span}": (
        "患者の年齢の情報が矛盾しています（{contradiction}）。評価範囲は{span}です。"
    ),
    "Patient's Age says {said} years, the birth date {counted}": "年齢欄では{said}歳、生年月日からは{counted}歳",
    "{years} years": "{years}歳",
    "{months} months": "{months}か月",
    "{low} to {high} years": "{low}～{high}歳",
    "{low} years and older": "{low}歳以上",
    "up to {high} years": "{high}歳以下",
    "the view position is {view}; evaluated on {views}": "撮影方向は{view}です（評価範囲は{views}）。",
    "unknown": "不明",
    "its overall shape is unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "画像全体の形が、モデルの評価に用いた画像と異なります（スコア{score}、上限{limit}）。"
    ),
    "its grey levels are unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "濃度分布が、モデルの評価に用いた画像と異なります（スコア{score}、上限{limit}）。"
    ),
    "its texture is unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "テクスチャが、モデルの評価に用いた画像と異なります（スコア{score}、上限{limit}）。"
    ),
    "what the model sees in it is unlike the radiographs the model was evaluated on (score {score}, limit {limit})": (
        "モデルが捉えた特徴が、評価に用いた画像と異なります（スコア{score}、上限{limit}）。"
    ),
    # what happened on the way
    "MONOCHROME1 inverted": "MONOCHROME1を反転しました。",
    "colour turned into luminance": "カラーを輝度に変換しました。",
    "pixel padding set to {value}": "画素パディングを{value}としました。",
    "saliency map of {finding}": "{finding}の注目領域マップです。",
    "ran on the CPU after out-of-memory on the accelerator": ("アクセラレータのメモリ不足のため、CPUで計算しました。"),
    "window reduced from {window} to {smaller} after out-of-memory": (
        "メモリ不足のため、処理ウィンドウを{window}から{smaller}に縮小しました。"
    ),
    "image {number} of {count} images alone is analysed": "{count}画像のうち画像{number}のみを解析しました。",
    # names
    "left": "左",
    "right": "右",
}
