SELECT "each"."hour", count(*) AS "count_1" 
FROM (SELECT CAST(floor(CAST(CAST(round((CAST(date_part('epoch_microsecond', to_timestamp_ntz("landed"."c0")) AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) AS DOUBLE) / '3.6000000000000000e+09'::DOUBLE) AS BIGINT) AS "hour" 
FROM (SELECT "known"."c0" AS "c0" 
FROM (SELECT "said"."c0" AS "c0" 
FROM (SELECT "logs"."predictions"."naive" AS "c0", "logs"."predictions"."id" AS "k0", CAST(round((CAST(date_part('epoch_microsecond', to_timestamp_ntz("logs"."predictions"."naive")) AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) AS "moment" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= '2013-04-02 21:00:00.250000'::TIMESTAMP_NTZ AND "logs"."predictions"."naive" < '2013-04-03 00:00:00.250000'::TIMESTAMP_NTZ AND NOT ("logs"."predictions"."naive" >= '2013-04-02 21:00:00.250001'::TIMESTAMP_NTZ AND "logs"."predictions"."naive" < '2013-04-02 22:00:00.250001'::TIMESTAMP_NTZ)) AS "said" JOIN (SELECT "labels"."id" AS "k0", CAST(round((CAST(date_part('epoch_microsecond', "labels"."known_at") AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) AS "moment", max(CAST(round((CAST(date_part('epoch_microsecond', "labels"."known_at") AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT)) OVER (PARTITION BY "labels"."id" ORDER BY CAST(round((CAST(date_part('epoch_microsecond', "labels"."known_at") AS DOUBLE) / '1.0000000000000000e+06'::DOUBLE) * '1.0000000000000000e+06'::DOUBLE) AS BIGINT) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "before" 
FROM "labels" 
WHERE collate("labels"."zulu", '') >= '2013-04-02T23' AND rtrim(collate("labels"."zulu", ''), 'Zz') >= '2013-04-02T23:00:00.250001' AND rtrim(collate("labels"."zulu", ''), 'Zz') < '2013-04-03T00:00:00.250001') AS "fresh" ON "said"."k0" = "fresh"."k0" 
WHERE "fresh"."moment" >= "said"."moment" AND "fresh"."moment" - "said"."moment" <= 3600000000 AND ("fresh"."before" IS NULL OR "said"."moment" > "fresh"."before") UNION ALL SELECT "logs"."predictions"."naive" AS "c0" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."naive" >= '2013-04-02 21:00:00.250001'::TIMESTAMP_NTZ AND "logs"."predictions"."naive" < '2013-04-02 22:00:00.250001'::TIMESTAMP_NTZ) AS "known") AS "landed") AS "each" GROUP BY "each"."hour";

