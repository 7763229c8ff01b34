//! Where a venue is.

use serde::{Deserialize, Serialize};

use super::is_line;

/// The longest name of a city, in characters.
pub const MAX_CITY_CHARS: usize = 100;

/// A point on the earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    /// −90 to 90.
    pub lat: f64,
    /// −180 to 180.
    pub long: f64,
}

/// Where a venue is. As JSON: `"Mumbai"` where no point is known, else `{"city": "Mumbai", "lat": 19.07, "long": 72.87}`.
/// `{"city": "Mumbai", "point": {"lat": …, "long": …}}` is read too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Location {
    /// The city.
    pub city: String,
    /// The point, where known.
    pub point: Option<Point>,
}

/// Why a location is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// No city, or a name that can't stand on a page.
    #[error("city must be 1 to {MAX_CITY_CHARS} characters on one line")]
    City,
    /// One of the two is missing.
    #[error("lat and long belong together")]
    HalfPoint,
    /// A point given in both forms.
    #[error("give lat and long, or point, but not both")]
    TwoPoints,
    /// A point that is not on the earth.
    #[error("lat must be -90 to 90 and long -180 to 180 degrees")]
    OffTheEarth,
}

impl Location {
    /// Holds the location to its limits; one that was read from JSON is within them.
    ///
    /// # Errors
    /// The first thing that is outside them.
    pub fn check(&self) -> Result<(), InvalidLocation> {
        if !is_line(&self.city, 1, MAX_CITY_CHARS) {
            return Err(InvalidLocation::City);
        }
        match self.point {
            Some(Point { lat, long }) if !(lat.abs() <= 90.0 && long.abs() <= 180.0) => {
                Err(InvalidLocation::OffTheEarth)
            }
            _ => Ok(()),
        }
    }
}

/// A location's forms in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a location is a city, as text, or an object of city, lat and long")]
enum Form {
    City(String),
    Place(Place),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    city: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    long: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    point: Option<Point>,
}

impl TryFrom<Form> for Location {
    type Error = InvalidLocation;

    fn try_from(form: Form) -> Result<Self, InvalidLocation> {
        let location = match form {
            Form::City(city) => Self { city, point: None },
            Form::Place(Place { city, lat, long, point }) => {
                let flat = match (lat, long) {
                    (Some(lat), Some(long)) => Some(Point { lat, long }),
                    (None, None) => None,
                    _ => return Err(InvalidLocation::HalfPoint),
                };
                if flat.is_some() && point.is_some() {
                    return Err(InvalidLocation::TwoPoints);
                }
                Self { city, point: flat.or(point) }
            }
        };
        location.check()?;
        Ok(location)
    }
}

impl From<Location> for Form {
    fn from(Location { city, point }: Location) -> Self {
        match point {
            None => Self::City(city),
            Some(Point { lat, long }) => Self::Place(Place { city, lat: Some(lat), long: Some(long), point: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<Location, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_city_alone_is_text_and_stays_text() {
        let location = read(json!("Mumbai")).unwrap();
        assert_eq!(location, Location { city: "Mumbai".into(), point: None });
        assert_eq!(serde_json::to_value(&location).unwrap(), json!("Mumbai"));
        assert_eq!(read(json!({"city": "Mumbai"})), Ok(location));
    }

    #[test]
    fn a_known_point_is_read_in_both_forms_and_written_flat() {
        let flat = json!({"city": "Mumbai", "lat": 19.07, "long": 72.87});
        let nested = json!({"city": "Mumbai", "point": {"lat": 19.07, "long": 72.87}});
        let location = read(flat.clone()).unwrap();
        assert_eq!(read(nested), Ok(location.clone()));
        assert_eq!(serde_json::to_value(&location).unwrap(), flat);
    }

    #[test]
    fn the_poles_and_the_date_line_are_on_the_earth_and_nothing_beyond_is() {
        for (lat, long) in [(90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)] {
            assert!(read(json!({"city": "X", "lat": lat, "long": long})).is_ok());
        }
        for (lat, long) in [(90.01, 0.0), (-91.0, 0.0), (0.0, 180.1), (0.0, -1e300)] {
            let error = read(json!({"city": "X", "lat": lat, "long": long})).unwrap_err();
            assert_eq!(error, InvalidLocation::OffTheEarth.to_string());
        }
        let nowhere = Location { city: "X".into(), point: Some(Point { lat: f64::NAN, long: 0.0 }) };
        assert_eq!(nowhere.check(), Err(InvalidLocation::OffTheEarth));
    }

    #[test]
    fn a_location_that_says_too_little_or_too_much_is_refused_with_the_reason() {
        let point = json!({"lat": 1.0, "long": 1.0});
        for (wrong, reason) in [
            (json!(""), "city must be"),
            (json!("  "), "city must be"),
            (json!("a\nb"), "city must be"),
            (json!("x".repeat(101)), "city must be"),
            (json!({"city": "X", "lat": 1.0}), "lat and long belong together"),
            (json!({"city": "X", "lat": 1.0, "long": 1.0, "point": point}), "but not both"),
            (json!({"city": "X", "latitude": 1.0}), "a location is a city"),
            (json!(7), "a location is a city"),
        ] {
            let error = read(wrong.clone()).unwrap_err();
            assert!(error.contains(reason), "{wrong}: {error}");
        }
    }
}
