"""What results say, in Japanese. Not reviewed by a native clinician."""

JAPANESE: dict[str, str] = {
    # every report
    "AI result, not verified by a physician.": "AIによる結果です。医師による確認は行われていません。",
    "Research use: the input lies outside the domain the model was evaluated on; do not rely on the figures": (
        "研究用：入力画像はモデルの評価範囲外です。数値を判断の根拠にしないでください。"
    ),
    "The input lies within the domain the model was evaluated on": "入力画像はモデルの評価範囲内です",
    "Decision threshold: {threshold}": "判定閾値：{threshold}",
    "Certainty with one standard deviation: {certainty}": "確信度（±1標準偏差）：{certainty}",
    "Examined: {series}.": "解析対象：{series}。",
    "Looked at: {series}": "確認したシリーズ：{series}。",
    "{modality} series '{description}', {count} images": "{modality}シリーズ「{description}」、{count}画像",
    "{modality} series '{description}', 1 image": "{modality}シリーズ「{description}」、1画像",
    "{modality} series without description, {count} images": "{modality}シリーズ（記述なし）、{count}画像",
    "{modality} series without description, 1 image": "{modality}シリーズ（記述なし）、1画像",
    "Nothing found.": "所見は検出されませんでした。",
    # segmentation
    "{name}: volume {volume} ml, largest diameter {diameter} mm.": ("{name}：体積 {volume} ml、最大径 {diameter} mm。"),
    "{name}: volume {volume} ml, largest diameter {diameter} mm, {long} × {short} mm on its largest slice.": (
        "{name}：体積 {volume} ml、最大径 {diameter} mm、最大断面で {long} × {short} mm。"
    ),
    "{name}: mean {mean} {unit}.": "{name}：平均 {mean} {unit}。",
    "{name}: {count} found.": "{name}：{count} 個。",
    "{name}: probability {probability} %, diameter {diameter} mm.": (
        "{name}：確率 {probability} %、直径 {diameter} mm。"
    ),
    "{name}: probability {probability} %.": "{name}：確率 {probability} %。",
    "No finding is given, because the images lie outside the domain the model was evaluated on.": (
        "画像がモデルの評価範囲外のため、所見は示しません。"
    ),
    "Each finding is drawn as the box that the model gave, on its middle slice; its longer side is the diameter": (
        "各所見は、モデルが示した枠をその中央の断面に描いています（長い辺を直径とします）"
    ),
    "Findings below the decision threshold of {threshold} % are not given": (
        "判定閾値 {threshold} % 未満の所見は示しません"
    ),
    "the {count} most probable of {all} findings are given": ("{all} 件の所見のうち確率の高い {count} 件を示します"),
    "Centres of mass in the patient coordinate system, mm to the left, to the back and to the head: {places}": (
        "患者座標系での重心（左・後・頭側への mm）：{places}"
    ),
    "{name}: outlined; its size is not known.": "{name}：輪郭を表示しています。大きさは不明です。",
    "Looked for and not found: {names}.": "検索しましたが検出されませんでした：{names}。",
    "The uncertainty of an outline is the model's own, averaged over the structure: 0 is sure, 1 is unsure": (
        "輪郭の不確かさはモデル自身による値を構造全体で平均したものです（0：確か、1：不確か）。"
    ),
    "Each structure is outlined on the slice where it is largest": (
        "各構造の輪郭は、断面積が最大となるスライスに表示しています。"
    ),
    "No volume is given, because the images lie outside the domain the model was evaluated on.": (
        "画像がモデルの評価範囲外のため、体積は示しません。"
    ),
    # comparison with the prior study
    "{name}: {now} ml, in the study of {day} {then} ml ({change} ml).": (
        "{name}：{now} ml、{day} の検査では {then} ml（{change} ml）。"
    ),
    "{name}: {now} ml, in the study of {day} {then} ml ({change} ml, {relative} %).": (
        "{name}：{now} ml、{day} の検査では {then} ml（{change} ml、{relative} %）。"
    ),
    "Not matched: in this study {here}; in the study of {day} {there}.": (
        "対応付けなし：今回の検査は {here}、{day} の検査は {there}。"
    ),
    "The study of {day} was measured by another version of the model.": (
        "{day} の検査は別のバージョンのモデルで計測されました。"
    ),
    "none": "なし",
    # classification
    "The uncertainty of a probability is one standard deviation over repeated readings of the image by the model": (
        "確率の不確かさは、モデルが同じ画像を繰り返し解析したときの標準偏差です。"
    ),
    "No probability is given, because the image lies outside the domain the model was evaluated on.": (
        "画像がモデルの評価範囲外のため、確率は示しません。"
    ),
    "Research use only.": "研究用途に限ります。",
    "{name}: not assessed.": "{name}：評価していません。",
    "{name}: suspected, probability {probability}, at or above the decision threshold of {threshold}.": (
        "{name}：疑いあり、確率 {probability}（判定閾値 {threshold} 以上）。"
    ),
    "{name}: not suspected, probability {probability}, below the decision threshold of {threshold}.": (
        "{name}：疑いなし、確率 {probability}（判定閾値 {threshold} 未満）。"
    ),
    # key images
    "{name}: image {number}.": "{name}：画像 {number}。",
    "{name}: frame {number}.": "{name}：フレーム {number}。",
    "{name}: slice {number}.": "{name}：スライス {number}。",
    # could not analyse
    "Could not analyse: {reason} There is no AI result for this study.": (
        "解析できませんでした：{reason}この検査のAI結果はありません。"
    ),
}
