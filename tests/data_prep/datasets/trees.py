"""Tiny raw trees in the layout in which the authors hand out their datasets."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.data_prep.conftest import encode_image, write_images

PITTS_EAST_NORTH = (585001.63, 4476803.1)


def write_photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "PNG" if path.suffix == ".png" else "JPEG"
    path.write_bytes(encode_image(seed, kind))


def write_csv(path: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)


# === MATLAB ===


def write_db_struct(
    path: Path,
    name: str,
    database: Sequence[tuple[str, float, float]],
    queries: Sequence[tuple[str, float, float]],
) -> None:
    """A `dbStruct` as NetVLAD's authors write it: cells of names, 2 x n positions."""

    def cells(rows):
        found = np.empty((len(rows), 1), object)
        for number, row in enumerate(rows):
            found[number, 0] = row[0]
        return found

    def utm(rows):
        return np.array([row[1:] for row in rows], float).reshape(-1, 2).T

    path.parent.mkdir(parents=True, exist_ok=True)
    struct = {
        "whichSet": name,
        "dbImageFns": cells(database),
        "utmDb": utm(database),
        "qImageFns": cells(queries),
        "utmQ": utm(queries),
        "numImages": len(database),
        "numQueries": len(queries),
        "posDistThr": 25,
    }
    savemat(path, {"dbStruct": struct})


def pittsburgh(folder: Path, name: str = "pitts30k") -> None:
    """One panorama of 2 tiles and a query for each part, 100 m apart."""
    east, north = PITTS_EAST_NORTH
    for number, part in enumerate(("train", "val", "test")):
        place = (east + 100 * number, north)
        tiles = [f"00{number}/00{number}000_pitch1_yaw{yaw}.jpg" for yaw in (1, 2)]
        query = f"00{number}/00{number}900_pitch2_yaw24.jpg"
        for seed, tile in enumerate(tiles):
            write_photo(folder / tile, seed)
        write_photo(folder / "queries_real" / query, 7)
        write_db_struct(
            folder / "datasets" / f"{name}_{part}.mat",
            part,
            [(tile, *place) for tile in tiles],
            [(query, place[0] + 5, place[1])],
        )


def tokyo_247(folder: Path) -> None:
    """Two PNG tiles, listed as .jpg, and two queries with CSV files beside them."""
    tiles = [f"03814/abc/abcdefghijklmnopqrstuv_012_{angle}" for angle in (0, 330)]
    for seed, tile in enumerate(tiles):
        write_photo(folder / f"{tile}.png", seed)
    rows = [(f"{tile}.jpg", 382035.5, 3946910.25) for tile in tiles]
    write_db_struct(folder / "datasets" / "tokyo247.mat", "tokyo", rows, rows[:0])
    queries = folder / "247query_subset_v2"
    for number, name in enumerate(("00001.jpg", "00002,jpg")):
        write_photo(queries / f"0000{number + 1}.jpg", 5 + number)
        text = f"{name},35.658{number},139.7014,day\n"
        (queries / f"0000{number + 1}.csv").write_text(text)


# === CSV ===


def msls_city(folder: Path, city: str, first: int, subtask: bool = True) -> None:
    """Three database photos and two queries, the last of each a panorama."""
    part = folder / "train_val" / city
    for role, count in (("database", 3), ("query", 3)):
        keys = [f"{city}{role[0]}{first + number}" for number in range(count)]
        panos = [number == count - 1 for number in range(count)]
        write_csv(
            part / role / "raw.csv",
            ",key,lon,lat,ca,captured_at,pano",
            [
                (i, key, 12.5 + i * 1e-4, 55.6, 10.5 + i, f"2018-05-0{i + 1}", panos[i])
                for i, key in enumerate(keys)
            ],
        )
        write_csv(
            part / role / "postprocessed.csv",
            ",key,easting,northing,unique_cluster,night,control_panel,view_direction",
            [
                (i, key, 0, 0, i, i == 1, False, "Forward" if i else "Sideways")
                for i, key in enumerate(keys)
            ],
        )
        write_csv(
            part / role / "seq_info.csv",
            ",sequence_key,frame_number,key",
            # Not in the order of raw.csv: rows are joined by their keys.
            [(i, f"s{city}", 40 + i, key) for i, key in [*enumerate(keys)][::-1]],
        )
        if subtask:
            write_csv(
                part / role / "subtask_index.csv",
                ",key,all,s2w",
                [(i, key, i != 1, False) for i, key in enumerate(keys)],
            )
        for number, key in enumerate(keys):
            write_photo(part / role / "images" / f"{key}.jpg", number)


def msls(folder: Path) -> None:
    """One city of training and both of validation."""
    for first, city in enumerate(("boston", "cph", "sf")):
        msls_city(folder, city, 10 * first)


def msls_challenge(folder: Path) -> None:
    """Two cities without positions; the first row of three is of no subtask."""
    for first, city in enumerate(("athens", "miami")):
        for role in ("database", "query"):
            part = folder / "test" / city / role
            keys = [f"{city}{role[0]}{10 * first + number}" for number in range(3)]
            write_csv(
                part / "seq_info.csv",
                ",sequence_key,frame_number,key",
                [(i, f"s{city}", 40 + i, key) for i, key in [*enumerate(keys)][::-1]],
            )
            write_csv(
                part / "subtask_index.csv",
                ",all,s2w",
                [(row, row != 0, False) for row in range(3)],
            )
            for number, key in enumerate(keys):
                write_photo(part / "images" / f"{key}.jpg", 10 * first + number)


GSV_ROWS = (
    (0, 7, 2019, 5, 90, "Boston", "42.350001", "-71.060050", "pANo-_1"),
    (1, 7, 2021, 11, 0, "Boston", "42.3500", "-71.0600", "other"),
    (2, 3, 2015, 1, 359, "Osaka", "34.6937", "135.5023", "third"),
)
GSV_NAMES = (
    "Images/Boston/Boston_0000007_2019_05_090_42.350001_-71.060050_pANo-_1.jpg",
    "Images/Boston/Boston_0000007_2021_11_000_42.3500_-71.0600_other.jpg",
    "Images/Osaka/Osaka_0000003_2015_01_359_34.6937_135.5023_third.jpg",
)


def gsv_cities(folder: Path) -> None:
    """Three photos of two cities."""
    header = ",place_id,year,month,northdeg,city_id,lat,lon,panoid"
    for city in ("Boston", "Osaka"):
        rows = [row for row in GSV_ROWS if row[5] == city]
        write_csv(folder / "Dataframes" / f"{city}.csv", header, rows)
    for seed, name in enumerate(GSV_NAMES):
        write_photo(folder / name, seed)


# === Names and frames ===


def sf_xl(folder: Path, root: str = "processed", queries: str = "queries_v1") -> None:
    """Train, val and one test set, positions in the names."""
    base = folder / root
    write_images(base / "train", 12)
    for part in ("val", "test"):
        write_images(base / part / "database", 4)
    write_images(base / "val" / "queries", 2)
    write_images(base / "test" / queries, 2)


def frames(folder: Path, names: dict[str, Sequence[str]]) -> None:
    """Photos by folder and name."""
    for subfolder, files in names.items():
        for seed, file in enumerate(files):
            write_photo(folder / subfolder / file, seed)


def san_francisco(folder: Path) -> None:
    """A crop whose panorama has "_" in its name, and a query with its pose."""
    name = "PCI_sp_a_b-C_37.7900_-122.3900_937_3_0937_120.5_10.jpg"
    write_photo(folder / "00011000_00012000_3" / name)
    poses = folder / "reference_poses_598" / "reference_poses_addTM_all_598.txt"
    poses.parent.mkdir()
    poses.write_text(
        "id name x y w z east north tm\n0 0042 0.1 0.2 0.3 0.9 553500.25 4182700.5 1\n"
    )
    write_photo(folder / "BuildingQueryImagesCartoIDCorrected-Upright" / "0042.jpg", 1)


def eynsham(folder: Path) -> None:
    """Three panoramas of 5 photos after 5 that belong to none."""
    route = folder / "Route_map" / "Eynsham.kml"
    route.parent.mkdir(parents=True)
    places = " ".join(f"-1.3{number},51.78{number},0" for number in range(4))
    route.write_text(f"<kml>\n<coordinates>{places} </coordinates>\n</kml>\n")
    for number in range(20):
        write_photo(folder / "Images" / f"grab_{1_200_000_000 + number}.png", number)
