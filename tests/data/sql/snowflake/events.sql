SELECT count(*) AS "count_1" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= '2013-04-01 10:00:00'::TIMESTAMP_NTZ AND "logs"."predictions"."naive" < '2013-04-01 13:00:00'::TIMESTAMP_NTZ;

WITH "drawn" AS 
(SELECT CAST("logs"."predictions"."distance" AS DOUBLE) AS "c0", CAST("logs"."predictions"."carrier" AS TEXT) AS "c1", CAST("logs"."predictions"."score" AS DOUBLE) AS "c2", "logs"."predictions"."naive" AS "c3", "logs"."predictions"."id" AS "k0", CAST(round((CAST(date_part('epoch_microsecond', to_timestamp_ntz("logs"."predictions"."naive")) AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) AS "moment", CASE WHEN ("logs"."predictions"."naive" < '2013-04-02 22:00:00.250001'::TIMESTAMP_NTZ) THEN FALSE END AS "absent", collate(md5('7' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')), '') AS "lot" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= '2013-04-01 10:00:00'::TIMESTAMP_NTZ AND "logs"."predictions"."naive" < '2013-04-01 13:00:00'::TIMESTAMP_NTZ ORDER BY "lot", "c0", "c1", "c2", "c3"
 LIMIT 100)
 SELECT "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3", coalesce("newest"."label", "drawn"."absent") AS "label" 
FROM "drawn" LEFT OUTER JOIN (SELECT "ranked"."k0" AS "k0", "ranked"."moment" AS "moment", "ranked"."label" AS "label" 
FROM (SELECT "labels"."id" AS "k0", "wanted"."moment" AS "moment", "labels"."y" AS "label", row_number() OVER (PARTITION BY "labels"."id", "wanted"."moment" ORDER BY "labels"."known_at" IS NULL, "labels"."known_at" DESC, rtrim(collate("labels"."zulu", ''), 'Zz') DESC, "labels"."y" IS NULL, collate(CAST("labels"."y" AS TEXT), '') DESC) AS "place" 
FROM "labels" JOIN (SELECT DISTINCT "drawn"."k0" AS "k0", "drawn"."moment" AS "moment" 
FROM "drawn") AS "wanted" ON "labels"."id" = "wanted"."k0" 
WHERE rtrim(collate("labels"."zulu", ''), 'Zz') < '2013-04-03T00:00:00.250001' AND "labels"."known_at" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "labels"."known_at" < '2013-04-01 14:00:00+00:00'::TIMESTAMP_TZ AND CAST(round((CAST(date_part('epoch_microsecond', "labels"."known_at") AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) >= "wanted"."moment" AND CAST(round((CAST(date_part('epoch_microsecond', "labels"."known_at") AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) - "wanted"."moment" <= 3600000000) AS "ranked" 
WHERE "ranked"."place" = 1) AS "newest" ON "drawn"."k0" = "newest"."k0" AND "drawn"."moment" = "newest"."moment" ORDER BY "drawn"."lot", "drawn"."c0", "drawn"."c1", "drawn"."c2", "drawn"."c3";

