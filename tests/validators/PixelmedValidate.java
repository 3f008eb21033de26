// PixelMed's SR and IOD validators over many files: their style sheets are compiled once, not once a file.
//   java -cp /usr/share/java/pixelmed.jar PixelmedValidate.java FILE...
import com.pixelmed.dicom.Attribute;
import com.pixelmed.dicom.AttributeList;
import com.pixelmed.dicom.SOPClass;
import com.pixelmed.dicom.TagFromName;
import com.pixelmed.validate.DicomInstanceValidator;
import com.pixelmed.validate.DicomSRValidator;

public class PixelmedValidate {
    public static void main(String[] files) throws Exception {
        DicomSRValidator reports = new DicomSRValidator();
        DicomInstanceValidator others = new DicomInstanceValidator();
        for (String file : files) {
            System.out.println("== " + file);
            System.out.println(said(file, reports, others));
        }
    }

    static String said(String file, DicomSRValidator reports, DicomInstanceValidator others) {
        try {
            AttributeList list = new AttributeList();
            list.read(file, TagFromName.PixelData);
            String kind = Attribute.getSingleStringValueOrEmptyString(list, TagFromName.SOPClassUID);
            return SOPClass.isStructuredReport(kind) ? reports.validate(file) : others.validate(list);
        } catch (Exception fault) {
            return "Error: the validator threw " + fault;
        }
    }
}
